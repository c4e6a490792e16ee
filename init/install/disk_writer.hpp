// Writes an installation: partitions, file systems, the image's parts.
#pragma once

#include <string>

#include "base/error.hpp"
#include "boot/block.hpp"
#include "install/parts.hpp"

namespace thole::install {

/// Room for two roots of that size and a later one half as large again, three kernels, and a node's data; in bytes.
std::uint64_t smallest_disk(const Parts& parts);

/// Makes `disk` one that UEFI boots, with `node_file` as its node.ini. All that was on it is lost. Errors: a disk that
/// something uses, is too small, or gives back other bytes than it was given.
Status write_disk(const BlockDevice& disk, const Parts& parts, const std::string& node_file);

}  // namespace thole::install
