// The bytes of GUID partition tables (UEFI specification, 5.3): where what stands, and numbers and identifiers as they
// are written. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace thole::gpt {

// Of the header (UEFI specification, table 5-5) and of an entry (table 5-6).
inline constexpr std::size_t kHeaderSize = 92;
inline constexpr std::size_t kHeaderChecksum = 16;
inline constexpr std::size_t kHere = 24;
inline constexpr std::size_t kOther = 32;
inline constexpr std::size_t kFirstUsable = 40;
inline constexpr std::size_t kLastUsable = 48;
inline constexpr std::size_t kDiskGuid = 56;
inline constexpr std::size_t kTableAt = 72;
inline constexpr std::size_t kEntries = 80;
inline constexpr std::size_t kEntrySize = 84;
inline constexpr std::size_t kTableChecksum = 88;
inline constexpr std::size_t kGuid = 16;
inline constexpr std::size_t kFirstSector = 32;
inline constexpr std::size_t kLastSector = 40;
inline constexpr std::size_t kName = 56;

inline constexpr std::string_view kSignature = "EFI PART";
inline constexpr std::uint64_t kUsualEntries = 128;
inline constexpr std::uint64_t kUsualEntrySize = 128;
inline constexpr std::uint64_t kTableSize = kUsualEntries * kUsualEntrySize;
inline constexpr std::uint64_t kTableSectors = kTableSize / 512;
/// Partitions begin and end at whole MiB; in sectors.
inline constexpr std::uint64_t kAlignment = 2048;

std::uint64_t number_at(std::string_view bytes, std::size_t at, std::size_t size);
void put(std::string& bytes, std::size_t at, std::size_t size, std::uint64_t value);

/// The checksums of a header whose table is that.
void seal_header(std::string& header, std::string_view table);

/// The backup of a header and its table: entries, then the header, for the sectors up to `last`.
std::string backup_of(const std::string& header, const std::string& table, std::uint64_t last);

/// The 16 bytes of an identifier such as 01234567-89ab-cdef-0123-456789abcdef: its first three fields are numbers with
/// the lowest byte first (UEFI specification, appendix A).
std::string guid_bytes(std::string_view text);

}  // namespace thole::gpt
