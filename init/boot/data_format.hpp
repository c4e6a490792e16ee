// The file system of a data disk, made anew.
#pragma once

#include <cstdint>
#include <string>

#include "base/error.hpp"
#include "boot/block.hpp"

namespace thole {

inline constexpr std::uint64_t kDataBlock = 4096;

/// Blocks of the file system on a data disk: all of it but its reserved end.
constexpr std::uint64_t data_blocks(const BlockDevice& device) { return (device.size - kReservedEnd) / kDataBlock; }

/// mkfs.ext4 with the label thole-data. `contents` is a directory that is copied into it; empty: none. What is on the
/// device is lost.
Status make_data_file_system(const BlockDevice& device, const std::string& contents = {});

}  // namespace thole
