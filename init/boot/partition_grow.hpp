// A disk's partition table, changed where it lies; and the data partition of a disk that is larger than the image that
// was written to it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "boot/block.hpp"
#include "boot/partition_table.hpp"
#include "os/console.hpp"

namespace thole {

/// What a change makes of the start of a disk for partition `number` of it; nothing where there is nothing to change.
using TableChange = std::function<Result<std::optional<ChangedTable>>(std::string_view start, unsigned number,
                                                                      std::uint64_t disk_size)>;

/// Changes the table of the disk with that partition (its name below /dev). The backup table is written first, so that
/// a power cut leaves a whole table. The change that was made, or nothing.
Result<std::optional<ChangedTable>> change_partition_table(const std::string& partition, const TableChange& change);

/// Where `device` is the last partition of a disk with room behind it: writes the partition table anew, has the kernel
/// know, and sets the device's size. The backup table is written first, so that a power cut leaves a whole table. A
/// disk that does not let it is reported, and stays as it is.
void grow_partition(Console& console, BlockDevice& device);

}  // namespace thole
