// The partitions of a disk that has two roots.
#pragma once

#include <string>
#include <vector>

#include "base/error.hpp"
#include "boot/block.hpp"

namespace thole::upgrade {

struct Slots {
    BlockDevice esp;
    BlockDevice running;  // the root that is mounted
    BlockDevice other;    // the one that is free to be written
};

/// Among the machine's block devices those of the disk that the node was booted from. Pure but for its argument.
Result<Slots> find_slots(const std::vector<BlockDevice>& devices);

/// The same for this machine.
Result<Slots> this_machines_slots();

/// The version that runs: from the kernel's command line, where the image has it (`image.version=`).
Result<std::string> running_version();

}  // namespace thole::upgrade
