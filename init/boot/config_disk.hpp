// The config disk: how a node.ini with secrets in it comes to a machine. A stick, a CD or a virtual disk with the label
// thole-config and a node.ini at its root; boot reads that and leaves the disk alone after.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"
#include "boot/block.hpp"
#include "os/console.hpp"

namespace thole {

inline constexpr std::string_view kConfigLabel = "thole-config";

/// How much of a device's start identify_file_system() wants to see.
inline constexpr std::size_t kLabelProbe = std::size_t{36} << 10U;

struct FileSystem {
    std::string_view type;  // as mount(2) has it: "vfat", "iso9660" or "ext4"; empty for any other
    std::string label;
};

/// The file system that a device starts with. Pure.
FileSystem identify_file_system(std::string_view start);

/// Whether it is thole-config. Letters' case and hyphens do not count: a FAT label has eleven capital letters.
bool is_config_label(std::string_view label);

/// Finds the disk, mounts it for a moment without the right to write, and copies its node.ini to kConfigDiskCopy.
/// Nothing happens where there is none. Errors: two of them, one that cannot be mounted, one without a node.ini.
Status take_config_disk(Console& console);

}  // namespace thole
