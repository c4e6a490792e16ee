// Sticks, CDs and virtual disks that bring a configuration: found by their label, and read without a trace.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "boot/block.hpp"

namespace thole {

/// How much of a device's start identify_file_system() wants to see.
inline constexpr std::size_t kLabelProbe = std::size_t{36} << 10U;

struct FileSystem {
    std::string_view type;  // as mount(2) has it: "vfat", "iso9660" or "ext4"; empty for any other
    std::string label;
};

/// The file system that a device starts with. Pure.
FileSystem identify_file_system(std::string_view start);

/// Whether two labels are the same. Letters' case, hyphens and underscores do not count: a FAT label has eleven capital
/// letters.
bool same_label(std::string_view label, std::string_view wanted);

struct ConfigMedium {
    BlockDevice device;
    FileSystem system;

    /// Whether its file system, or its partition, has that label.
    [[nodiscard]] bool has_label(std::string_view wanted) const;
};

/// All devices that can be read, each with what its start says: one look at each.
std::vector<ConfigMedium> read_media();

/// Mounts it for a moment without the right to write, and gives a way to read its plain files by their names.
using ReadFiles = std::function<Status(const std::function<Result<std::string>(std::string_view name)>& read)>;
Status with_medium(const ConfigMedium& medium, const ReadFiles& use);

}  // namespace thole
