// A GUID partition table for a disk that is written from nothing. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace thole {

// Types (UEFI specification, 5.3.3; UAPI group: Discoverable Partitions Specification).
inline constexpr std::string_view kEspType = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";
inline constexpr std::string_view kLinuxType = "0fc63daf-8483-4772-8e79-3d69d8477de4";
inline constexpr std::string_view kRootX86Type = "4f68bce3-e8cd-4db1-96e7-fbcaf984b709";
inline constexpr std::string_view kRootArmType = "b921b045-1df0-41c3-af44-4c6f280d3fae";

struct NewPartition {
    std::string_view name;  // 36 letters at most
    std::string_view type;
    std::string guid;        // its own
    std::uint64_t size = 0;  // bytes, whole MiB; 0: all to the end of the disk, for the last one
};

struct NewTable {
    std::string start;            // protective MBR, header and entries, for the disk's first sectors
    std::string backup;           // for its last
    std::uint64_t backup_at = 0;  // bytes from the disk's start
};

/// The partitions one after the other from 1 MiB on. An error where they do not fit.
Result<NewTable> new_partition_table(std::span<const NewPartition> partitions, std::uint64_t disk_size,
                                     std::string_view disk_guid);

/// A random identifier (RFC 9562, version 4) of 16 random bytes.
std::string guid_of(std::string_view random);

}  // namespace thole
