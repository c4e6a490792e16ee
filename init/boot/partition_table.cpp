#include "boot/partition_table.hpp"

#include <cstddef>

#include "base/text.hpp"
#include "boot/partition_bytes.hpp"

namespace thole {

using namespace gpt;

namespace {

Status check_table(std::string_view header, std::string_view table) {
    if (!header.starts_with(kSignature)) {
        return failure("there is no GUID partition table");
    }
    std::string plain(header.substr(0, kHeaderSize));
    put(plain, kHeaderChecksum, 4, 0);
    if (number_at(header, 12, 4) != kHeaderSize || number_at(header, kEntries, 4) != kUsualEntries ||
        number_at(header, kEntrySize, 4) != kUsualEntrySize || number_at(header, kTableAt, 8) != 2) {
        return failure("the partition table has another form than 128 entries behind its header");
    }
    if (crc32(plain) != number_at(header, kHeaderChecksum, 4) || crc32(table) != number_at(header, kTableChecksum, 4)) {
        return failure("the partition table's checksum is wrong");
    }
    return {};
}

/// Whether no partition begins behind the one at `entry`.
bool is_last(std::string_view table, std::string_view entry) {
    const std::uint64_t own = number_at(entry, kFirstSector, 8);
    for (std::uint64_t index = 0; index < kUsualEntries; ++index) {
        const auto other = table.substr(index * kUsualEntrySize, kUsualEntrySize);
        if (number_at(other, kFirstSector, 8) > own) {
            return false;
        }
    }
    return true;
}

ChangedTable table_of(std::string header, const std::string& table, std::size_t entry, std::uint64_t sectors) {
    const std::uint64_t backup = sectors - 1;
    put(header, kOther, 8, backup);
    put(header, kLastUsable, 8, sectors - kTableSectors - 2);
    seal_header(header, table);
    const std::uint64_t first = number_at(table, entry + kFirstSector, 8);
    const std::uint64_t last = number_at(table, entry + kLastSector, 8);
    return {header + table, backup_of(header, table, backup), (backup - kTableSectors) * kGptSector, first * kGptSector,
            (last - first + 1) * kGptSector};
}

}  // namespace

std::uint32_t crc32(std::string_view data) {
    std::uint32_t sum = 0xFFFFFFFFU;
    for (const char letter : data) {
        sum ^= static_cast<unsigned char>(letter);
        for (int bit = 0; bit < 8; ++bit) {
            sum = (sum >> 1U) ^ ((sum & 1U) != 0 ? 0xEDB88320U : 0U);
        }
    }
    return ~sum;
}

Result<std::optional<ChangedTable>> grow_last_partition(std::string_view start, unsigned number,
                                                        std::uint64_t disk_size, std::uint64_t worth) {
    if (start.size() < kGptStart || number < 1 || number > kUsualEntries) {
        return failure("the disk is too small for a partition table");
    }
    std::string header(start.substr(kGptSector, kGptSector));
    std::string table(start.substr(2 * kGptSector, kTableSize));
    if (auto checked = check_table(header, table); !checked) {
        return std::unexpected(checked.error());
    }
    const std::size_t entry = (number - 1) * kUsualEntrySize;
    const std::uint64_t first = number_at(table, entry + kFirstSector, 8);
    const std::uint64_t last = number_at(table, entry + kLastSector, 8);
    const std::uint64_t sectors = disk_size / kGptSector;
    if (first == 0 || last < first || sectors <= last + kTableSectors + 2) {
        return std::optional<ChangedTable>();
    }
    // The partition ends with a whole MiB, as it began.
    const std::uint64_t usable = (sectors - kTableSectors - 1) / kAlignment * kAlignment;
    if (usable < last + 1 || (usable - 1 - last) * kGptSector < worth ||
        !is_last(table, std::string_view(table).substr(entry, kUsualEntrySize))) {
        return std::optional<ChangedTable>();
    }
    put(table, entry + kLastSector, 8, usable - 1);
    return std::optional<ChangedTable>(table_of(std::move(header), table, entry, sectors));
}

Result<std::optional<ChangedTable>> with_partition_guid(std::string_view start, unsigned number,
                                                        std::string_view guid) {
    constexpr std::size_t kLetters = 36;
    if (start.size() < kGptStart || number < 1 || number > kUsualEntries || guid.size() != kLetters) {
        return failure("there is no such partition, or no such identifier");
    }
    std::string header(start.substr(kGptSector, kGptSector));
    std::string table(start.substr(2 * kGptSector, kTableSize));
    if (auto checked = check_table(header, table); !checked) {
        return std::unexpected(checked.error());
    }
    const std::size_t entry = (number - 1) * kUsualEntrySize;
    if (number_at(table, entry + kFirstSector, 8) == 0) {
        return failure("there is no such partition in the table");
    }
    table.replace(entry + kGuid, 16, guid_bytes(guid));
    const std::uint64_t sectors = number_at(header, kOther, 8) + 1;
    return std::optional<ChangedTable>(table_of(std::move(header), table, entry, sectors));
}

}  // namespace thole
