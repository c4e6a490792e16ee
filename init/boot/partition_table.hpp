// GUID partition tables, as far as a node changes one: its data partition grows to the end of the disk, and a root that
// was written gets the identifier by which its kernel finds it. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace thole {

inline constexpr std::uint64_t kGptSector = 512;
/// What has to be read from a disk's start: protective MBR, header, 128 entries (UEFI specification, 5.3).
inline constexpr std::size_t kGptStart = 34 * kGptSector;

/// CRC-32 of IEEE 802.3, as UEFI's tables have it.
std::uint32_t crc32(std::string_view data);

/// A table that has been changed, as it is to be written.
struct ChangedTable {
    std::string first;            // header and entries, for sector 1
    std::string backup;           // entries and header, for the disk's last sectors
    std::uint64_t backup_at = 0;  // bytes from the disk's start
    std::uint64_t start = 0;      // of the partition, in bytes
    std::uint64_t size = 0;       // of the partition as it is to be, in bytes
};

/// The table in `start` (the first kGptStart bytes of a disk) with partition `number` (from 1) grown to the end of a
/// disk of `disk_size` bytes, and the disk's backup table moved there. Nothing where less than `worth` bytes would be
/// gained, or another partition lies behind it. An error where the table is damaged or of another form than usual.
Result<std::optional<ChangedTable>> grow_last_partition(std::string_view start, unsigned number,
                                                        std::uint64_t disk_size, std::uint64_t worth);

/// The same table with another identifier (36 letters) for partition `number`. An error where the table is damaged, or
/// there is no such partition.
Result<std::optional<ChangedTable>> with_partition_guid(std::string_view start, unsigned number, std::string_view guid);

}  // namespace thole
