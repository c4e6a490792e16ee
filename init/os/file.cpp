#include "os/file.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <string_view>
#include <utility>

#include "base/text.hpp"

namespace thole {

namespace {

std::string parent_of(const std::string& path) {
    const auto slash = path.rfind('/');
    if (slash == std::string::npos) {
        return ".";
    }
    return slash == 0 ? "/" : path.substr(0, slash);
}

/// Takes an unfinished file away again; the reason why it is one.
Status discard(const std::string& path, Status reason) {
    ::unlink(path.c_str());
    return reason;
}

}  // namespace

Result<Fd> open_file(const std::string& path, int flags, mode_t mode) {
    while (true) {
        // openat: the C library's open() adds a call to each for kernels that do not know O_CLOEXEC.
        Fd fd(::openat(AT_FDCWD, path.c_str(), flags | O_CLOEXEC, mode));
        if (fd) {
            return fd;
        }
        if (errno != EINTR) {
            return system_error("open", path);
        }
    }
}

Result<std::string> read_file(const std::string& path, std::size_t limit) {
    auto fd = open_file(path, O_RDONLY);
    if (!fd) {
        return std::unexpected(fd.error());
    }
    std::string content;
    std::array<char, 1024> buffer;  // small, as PID 1 keeps what its stack once had
    while (true) {
        const ssize_t count = ::read(fd->get(), buffer.data(), buffer.size());
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            return system_error("read", path);
        }
        if (count == 0) {
            return content;
        }
        content.append(buffer.data(), static_cast<std::size_t>(count));
        if (content.size() > limit) {
            return failure(concat("cannot read ", path, ": it is larger than ", limit, " bytes"));
        }
    }
}

Status write_all(int fd, std::string_view content, std::string_view name) {
    while (!content.empty()) {
        const ssize_t count = ::write(fd, content.data(), content.size());
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            return system_error("write", name);
        }
        content.remove_prefix(static_cast<std::size_t>(count));
    }
    return {};
}

Status write_value(const std::string& path, std::string_view value) {
    auto fd = open_file(path, O_WRONLY);
    if (!fd) {
        return std::unexpected(fd.error());
    }
    if (::write(fd->get(), value.data(), value.size()) < 0) {
        return system_error(concat("write '", value, "' to"), path);
    }
    return {};
}

Status replace_file(const std::string& path, std::string_view content, mode_t mode) {
    const std::string temporary = path + ".new";
    auto fd = open_file(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode);
    if (!fd) {
        return std::unexpected(fd.error());
    }
    if (auto written = write_all(fd->get(), content, temporary); !written) {
        return discard(temporary, written);
    }
    if (::fchmod(fd->get(), mode) != 0 || ::fsync(fd->get()) != 0) {
        return discard(temporary, system_error("save", temporary));
    }
    if (::rename(temporary.c_str(), path.c_str()) != 0) {
        return discard(temporary, system_error("rename to", path));
    }
    auto directory = open_file(parent_of(path), O_RDONLY | O_DIRECTORY);
    if (!directory) {
        return std::unexpected(directory.error());
    }
    if (::fsync(directory->get()) != 0) {
        return system_error("save the directory of", path);
    }
    return {};
}

Status make_directories(const std::string& path, mode_t mode) {
    if (path.empty() || path == "/" || ::mkdir(path.c_str(), mode) == 0 || errno == EEXIST) {
        return {};
    }
    if (errno != ENOENT) {
        return system_error("make the directory", path);
    }
    if (auto parent = make_directories(parent_of(path), mode); !parent) {
        return parent;
    }
    if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) {
        return system_error("make the directory", path);
    }
    return {};
}

bool path_exists(const std::string& path) {
    struct stat information{};
    return ::stat(path.c_str(), &information) == 0;
}

Result<std::vector<std::string>> list_directory(const std::string& path) {
    const auto close = [](DIR* handle) { ::closedir(handle); };
    const std::unique_ptr<DIR, decltype(close)> handle(::opendir(path.c_str()), close);
    if (!handle) {
        return system_error("list", path);
    }
    std::vector<std::string> names;
    while (const dirent* entry = ::readdir(handle.get())) {
        const std::string_view name = entry->d_name;
        if (name != "." && name != "..") {
            names.emplace_back(name);
        }
    }
    std::vector<std::string> sorted;
    for (const std::size_t position : order_of({names.begin(), names.end()})) {
        sorted.push_back(std::move(names[position]));
    }
    return sorted;
}

}  // namespace thole
