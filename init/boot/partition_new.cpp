#include "boot/partition_new.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "base/text.hpp"
#include "boot/partition_bytes.hpp"
#include "boot/partition_table.hpp"

namespace thole {

using namespace gpt;

namespace {

constexpr std::uint32_t kRevision = 0x00010000;

/// Tells whoever knows no GUID tables that the disk is full (UEFI specification, 5.2.3).
std::string protective_mbr(std::uint64_t sectors) {
    std::string mbr(kGptSector, '\0');
    constexpr std::size_t kPartition = 446;
    put(mbr, kPartition + 1, 3, 0x000200);
    put(mbr, kPartition + 4, 1, 0xEE);
    put(mbr, kPartition + 5, 3, 0xFFFFFF);
    put(mbr, kPartition + 8, 4, 1);
    put(mbr, kPartition + 12, 4, std::min<std::uint64_t>(sectors - 1, 0xFFFFFFFFU));
    put(mbr, 510, 2, 0xAA55);
    return mbr;
}

std::string entry_of(const NewPartition& partition, std::uint64_t first, std::uint64_t last) {
    std::string entry(kUsualEntrySize, '\0');
    entry.replace(0, 16, guid_bytes(partition.type));
    entry.replace(kGuid, 16, guid_bytes(partition.guid));
    put(entry, kFirstSector, 8, first);
    put(entry, kLastSector, 8, last);
    for (std::size_t index = 0; index < partition.name.size(); ++index) {
        put(entry, kName + 2 * index, 2, static_cast<unsigned char>(partition.name[index]));
    }
    return entry;
}

/// The entries; nothing where the partitions need more sectors than up to `end`.
std::optional<std::string> entries_of(std::span<const NewPartition> partitions, std::uint64_t end) {
    std::string table;
    std::uint64_t next = kAlignment;
    for (const NewPartition& partition : partitions) {
        const std::uint64_t behind = partition.size == 0 ? end : next + partition.size / kGptSector;
        if (behind <= next || behind > end) {
            return std::nullopt;
        }
        table += entry_of(partition, next, behind - 1);
        next = behind;
    }
    table.resize(kTableSize, '\0');
    return table;
}

}  // namespace

Result<NewTable> new_partition_table(std::span<const NewPartition> partitions, std::uint64_t disk_size,
                                     std::string_view disk_guid) {
    const std::uint64_t sectors = disk_size / kGptSector;
    const std::uint64_t end =
        sectors <= kTableSectors + 1 ? 0 : (sectors - kTableSectors - 1) / kAlignment * kAlignment;
    const auto table = entries_of(partitions, end);
    if (!table) {
        return failure(concat("a disk of ", disk_size >> 20U, " MiB is too small"));
    }
    std::string header(kGptSector, '\0');
    header.replace(0, kSignature.size(), kSignature);
    put(header, 8, 4, kRevision);
    put(header, 12, 4, kHeaderSize);
    put(header, kHere, 8, 1);
    put(header, kOther, 8, sectors - 1);
    put(header, kFirstUsable, 8, kTableSectors + 2);
    put(header, kLastUsable, 8, sectors - kTableSectors - 2);
    header.replace(kDiskGuid, 16, guid_bytes(disk_guid));
    put(header, kTableAt, 8, 2);
    put(header, kEntries, 4, kUsualEntries);
    put(header, kEntrySize, 4, kUsualEntrySize);
    seal_header(header, *table);
    return NewTable{protective_mbr(sectors) + header + *table, backup_of(header, *table, sectors - 1),
                    (sectors - 1 - kTableSectors) * kGptSector};
}

std::string guid_of(std::string_view random) {
    std::array<std::uint8_t, 16> bytes{};
    std::ranges::copy(random.substr(0, bytes.size()), bytes.begin());
    bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0FU) | 0x40U);
    bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3FU) | 0x80U);
    std::string text = hexadecimal(bytes);
    for (const std::size_t dash : {20U, 16U, 12U, 8U}) {
        text.insert(dash, 1, '-');
    }
    return text;
}

}  // namespace thole
