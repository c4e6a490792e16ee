// Which disk holds the node's data. Pure: only a blank disk or one that carries our label is ever chosen.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "boot/block.hpp"

namespace thole {

inline constexpr std::uint64_t kSmallestDataDisk = std::uint64_t{256} << 20U;

enum class DiskAction : std::uint8_t {
    use,     // mount it
    format,  // make the file system, then mount it
    none,    // there is no disk: /var in memory
    stop,    // something is not as it should be: halt, touch nothing
};

struct DiskChoice {
    DiskAction action = DiskAction::none;
    std::size_t device = 0;  // index, for use and format
    std::string message;     // for none (a hint, may be empty) and stop
};

/// That the whole of its file system lies on it.
Status check_whole(const BlockDevice& device);

/// Devices come with their content. In this order: the one with our file system, encrypted or not; the one whose format
/// was interrupted; the blank one that has the name thole-data (serial number or partition name); the only blank disk
/// without partitions.
DiskChoice choose_data_disk(const std::vector<BlockDevice>& devices);

}  // namespace thole
