// Whole small files and directories: what boot, configuration and the command line need. Not for PID 1's hot path.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "os/fd.hpp"

namespace thole {

inline constexpr std::size_t kSmallFile = std::size_t{1} << 20U;

/// Opens with O_CLOEXEC. `flags` and `mode` as open(2) has them.
Result<Fd> open_file(const std::string& path, int flags, mode_t mode = 0);

/// The whole content; an error where the file is larger than `limit` bytes.
Result<std::string> read_file(const std::string& path, std::size_t limit = kSmallFile);

/// Writes all of `content` to an open descriptor; repeats after short writes and EINTR. `name` is for the error.
Status write_all(int fd, std::string_view content, std::string_view name);

/// Writes into a file that exists already (proc, sysfs, cgroupfs): one write, no truncation, no creation.
Status write_value(const std::string& path, std::string_view value);

/// Makes or replaces a file so that a power cut leaves the old or the new one: temporary file, fsync, rename, fsync of
/// the directory.
Status replace_file(const std::string& path, std::string_view content, mode_t mode);

/// mkdir -p; directories that exist stay as they are.
Status make_directories(const std::string& path, mode_t mode = 0755);

bool path_exists(const std::string& path);

/// The sorted names in a directory without "." and "..".
Result<std::vector<std::string>> list_directory(const std::string& path);

}  // namespace thole
