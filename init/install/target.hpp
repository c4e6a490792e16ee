// Which disk an installation goes to. Pure: nothing is read or written here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "boot/block.hpp"

namespace thole::install {

/// The label of the stick or disk that the live image itself is on.
inline constexpr std::string_view kLiveLabel = "thole-live";

/// The disk that `wanted` names: /dev/NAME, NAME, a serial number, or `auto`: the only one, without the live image's
/// own. `devices` have their content. Errors list the disks that there are.
Result<BlockDevice> choose_disk(const std::vector<BlockDevice>& devices, std::string_view wanted);

/// What a disk holds, in a few words: "nothing", "an ext4 file system ...", "3 partitions: thole-esp, ...".
std::string contents_of(const std::vector<BlockDevice>& devices, const BlockDevice& disk);

/// A line for people: path, size, serial number and contents.
std::string describe(const std::vector<BlockDevice>& devices, const BlockDevice& disk);

/// Whether an installation may overwrite it without being told to: it is blank.
bool is_blank(const BlockDevice& disk);

/// The name of a disk's partition: vda and 1 give vda1, nvme0n1 and 1 give nvme0n1p1.
std::string partition_name(std::string_view disk, unsigned number);

}  // namespace thole::install
