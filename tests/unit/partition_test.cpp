// The data partition's growth: what the partition table of a larger disk becomes.
#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "boot/partition_table.hpp"

using namespace thole;

namespace {

struct Entry {
    std::uint64_t first;
    std::uint64_t last;
};

void put(std::string& bytes, std::size_t at, std::size_t size, std::uint64_t value) {
    for (std::size_t index = 0; index < size; ++index) {
        bytes[at + index] = static_cast<char>((value >> (8 * index)) & 0xFFU);
    }
}

std::uint64_t number(std::string_view bytes, std::size_t at) {
    std::uint64_t value = 0;
    for (std::size_t index = 8; index > 0; --index) {
        value = (value << 8U) | static_cast<unsigned char>(bytes[at + index - 1]);
    }
    return value;
}

/// The start of a disk of so many sectors with these partitions.
std::string disk_start(std::uint64_t sectors, const std::vector<Entry>& entries) {
    std::string table(128 * 128, '\0');
    for (std::size_t index = 0; index < entries.size(); ++index) {
        table[index * 128] = 'x';
        put(table, index * 128 + 32, 8, entries[index].first);
        put(table, index * 128 + 40, 8, entries[index].last);
    }
    std::string header(kGptSector, '\0');
    header.replace(0, 8, "EFI PART");
    put(header, 8, 4, 0x10000);
    put(header, 12, 4, 92);
    put(header, 24, 8, 1);
    put(header, 32, 8, sectors - 1);
    put(header, 40, 8, 34);
    put(header, 48, 8, sectors - 34);
    put(header, 72, 8, 2);
    put(header, 80, 4, 128);
    put(header, 84, 4, 128);
    put(header, 88, 4, crc32(table));
    put(header, 16, 4, crc32(std::string_view(header).substr(0, 92)));
    return std::string(kGptSector, '\0') + header + table;
}

constexpr std::uint64_t kMib = 2048;  // in sectors
constexpr std::uint64_t kGib = 1024 * kMib;
constexpr std::uint64_t kWorth = 64 * kMib * kGptSector;

}  // namespace

TEST_CASE("the sum is that of IEEE 802.3") { CHECK(crc32("123456789") == 0xCBF43926U); }

TEST_CASE("the last partition grows to the end of a larger disk, and both tables say so") {
    const std::string start = disk_start(kGib, {{kMib, 2 * kMib - 1}, {2 * kMib, 512 * kMib - 1}});
    const auto grown = grow_last_partition(start, 2, 4 * kGib * kGptSector, kWorth);
    REQUIRE(grown);
    REQUIRE(*grown);
    CHECK((*grown)->start == 2 * kMib * kGptSector);
    CHECK((*grown)->size == (4 * kGib - 3 * kMib) * kGptSector);
    CHECK((*grown)->backup_at + (*grown)->backup.size() == 4 * kGib * kGptSector);
    CHECK(number((*grown)->first, 32) == 4 * kGib - 1);
    // What was written is whole, and there is nothing more to grow.
    const std::string again = std::string(kGptSector, '\0') + (*grown)->first;
    const auto same = grow_last_partition(again, 2, 4 * kGib * kGptSector, kWorth);
    REQUIRE(same);
    CHECK_FALSE(*same);
    CHECK((*grown)->backup.substr(0, 128 * 128) == (*grown)->first.substr(kGptSector));
}

TEST_CASE("a partition with another behind it stays, and so does one that would gain little") {
    const std::string start = disk_start(kGib, {{kMib, 2 * kMib - 1}, {2 * kMib, 512 * kMib - 1}});
    const auto first = grow_last_partition(start, 1, 4 * kGib * kGptSector, kWorth);
    REQUIRE(first);
    CHECK_FALSE(*first);
    const auto little = grow_last_partition(start, 2, (512 + 40) * kMib * kGptSector, kWorth);
    REQUIRE(little);
    CHECK_FALSE(*little);
    const auto shorter = grow_last_partition(start, 2, 256 * kMib * kGptSector, kWorth);
    REQUIRE(shorter);
    CHECK_FALSE(*shorter);
}

TEST_CASE("a damaged table is left alone") {
    std::string start = disk_start(kGib, {{kMib, 2 * kMib - 1}});
    start[2 * kGptSector + 40] = '\x7F';
    CHECK_FALSE(grow_last_partition(start, 1, 4 * kGib * kGptSector, kWorth));
    CHECK_FALSE(grow_last_partition(std::string(kGptStart, '\0'), 1, 4 * kGib * kGptSector, kWorth));
    CHECK_FALSE(grow_last_partition("short", 1, 4 * kGib * kGptSector, kWorth));
}
