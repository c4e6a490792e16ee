#include "boot/content.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace thole {

namespace {

using std::string_view_literals::operator""sv;

struct Magic {
    std::size_t offset;
    std::string_view bytes;
    std::string_view what;
};

// File systems before partition tables: a FAT boot sector ends like an MBR.
constexpr std::array kMagics{
    Magic{0, "XFSB"sv, "an xfs file system"},
    Magic{0x10040, "_BHRfS_M"sv, "a btrfs file system"},
    Magic{0, "LUKS\xBA\xBE"sv, "a LUKS container"},
    Magic{3, "NTFS    "sv, "an NTFS file system"},
    Magic{3, "EXFAT   "sv, "an exFAT file system"},
    Magic{0x36, "FAT"sv, "a FAT file system"},
    Magic{0x52, "FAT32"sv, "a FAT file system"},
    Magic{4086, "SWAPSPACE2"sv, "swap space"},
    Magic{0, "hsqs"sv, "a squashfs image"},
    Magic{1024, "\xE2\xE1\xF5\xE0"sv, "an erofs image"},
    Magic{1024, "\x10\x20\xF5\xF2"sv, "an f2fs file system"},
    Magic{0x8001, "CD001"sv, "an ISO 9660 image"},
    Magic{512, "LABELONE"sv, "an LVM physical volume"},
    Magic{0, "\xFC\x4E\x2B\xA9"sv, "a member of a RAID array"},
    Magic{4096, "\xFC\x4E\x2B\xA9"sv, "a member of a RAID array"},
    Magic{0, "bluestore block device"sv, "a Ceph OSD"},
    Magic{0, "verity\0\0"sv, "a dm-verity hash tree"},
    Magic{512, "EFI PART"sv, "a GPT partition table"},
    Magic{4096, "EFI PART"sv, "a GPT partition table"},
    Magic{510, "\x55\xAA"sv, "a partition table or boot sector"},
};

// Offsets in ext4's superblock (kernel: Documentation/filesystems/ext4/super.rst).
constexpr std::size_t kSuperblock = 1024;
constexpr std::size_t kBlocksLow = 0x4;
constexpr std::size_t kLogBlockSize = 0x18;
constexpr std::size_t kLastMount = 0x2C;
constexpr std::size_t kLastWrite = 0x30;
constexpr std::size_t kMagicField = 0x38;
constexpr std::size_t kState = 0x3A;
constexpr std::size_t kCompatible = 0x5C;
constexpr std::size_t kIncompatible = 0x60;
constexpr std::size_t kLabel = 0x78;
constexpr std::size_t kLabelSize = 16;
constexpr std::size_t kBlocksHigh = 0x150;
constexpr std::size_t kLastWriteHigh = 0x274;

constexpr unsigned kHasJournal = 0x4;
constexpr unsigned kNeedsRecovery = 0x4;
constexpr unsigned k64Bit = 0x80;
constexpr unsigned kCleanState = 1;

/// A little-endian number of `size` bytes in the superblock.
std::uint64_t field(std::string_view start, std::size_t offset, std::size_t size) {
    std::uint64_t value = 0;
    for (std::size_t index = size; index-- > 0;) {
        value = value << 8U | static_cast<unsigned char>(start[kSuperblock + offset + index]);
    }
    return value;
}

// LUKS2's header (cryptsetup: LUKS2 On-Disk Format Specification, 2.1).
constexpr std::string_view kLuksMagic = "LUKS\xBA\xBE\0\2"sv;  // with the version
constexpr std::size_t kLuksLabel = 24;
constexpr std::size_t kLuksLabelSize = 48;

struct Ext {
    std::string label;
    std::uint64_t size = 0;
    std::int64_t written = 0;
    bool clean = false;
    bool mounted_ever = false;
    bool journal = false;
};

bool is_ext(std::string_view start) {
    return start.size() >= 2 * kSuperblock && field(start, kMagicField, 2) == 0xEF53;
}

Ext read_ext(std::string_view start) {
    Ext ext;
    const auto label = start.substr(kSuperblock + kLabel, kLabelSize);
    for (const char letter : label.substr(0, label.find('\0'))) {
        ext.label += letter >= ' ' && letter < 0x7F ? letter : '?';
    }
    const auto incompatible = static_cast<unsigned>(field(start, kIncompatible, 4));
    const std::uint64_t high = (incompatible & k64Bit) != 0 ? field(start, kBlocksHigh, 4) : 0;
    const std::uint64_t blocks = high << 32U | field(start, kBlocksLow, 4);
    const auto log_size = std::min<std::uint64_t>(field(start, kLogBlockSize, 4), 6);
    ext.size = blocks << (10 + log_size);
    ext.clean = field(start, kState, 2) == kCleanState && (incompatible & kNeedsRecovery) == 0;
    ext.written = static_cast<std::int64_t>(field(start, kLastWriteHigh, 1) << 32U | field(start, kLastWrite, 4));
    ext.mounted_ever = field(start, kLastMount, 4) != 0;
    ext.journal = (field(start, kCompatible, 4) & kHasJournal) != 0;
    return ext;
}

bool is_our_luks(std::string_view start) {
    if (start.size() < kLuksLabel + kLuksLabelSize || !start.starts_with(kLuksMagic)) {
        return false;
    }
    const auto label = start.substr(kLuksLabel, kLuksLabelSize);
    return label.substr(0, label.find('\0')) == kDataLabel;
}

bool all_zero(std::string_view bytes) {
    return std::ranges::all_of(bytes, [](char byte) { return byte == '\0'; });
}

bool has_marker(std::string_view end) {
    constexpr std::size_t kFromEnd = 4096;
    return end.size() >= kFromEnd && end.substr(end.size() - kFromEnd).starts_with(kFormatMarker);
}

Content describe_ext(const Ext& ext) {
    const std::string_view type = ext.journal ? "an ext4 file system" : "an ext2 file system";
    if (ext.label != kDataLabel) {
        const std::string label = ext.label.empty() ? "without a label" : concat("with the label '", ext.label, "'");
        return {ContentKind::foreign, concat(type, " ", label), ext.size, ext.clean, ext.written};
    }
    return {ContentKind::ours, "the data file system", ext.size, ext.clean, ext.written};
}

}  // namespace

Content describe_content(std::string_view start, std::string_view end, std::uint64_t device_size) {
    const bool ext_found = is_ext(start);
    const Ext ext = ext_found ? read_ext(start) : Ext{};
    // A file system that was in use once, or that reaches the marker's place, is data: what looks like the marker may
    // be a file's.
    const bool marker_is_data = ext_found && (ext.mounted_ever || ext.size > marker_offset(device_size));
    if (has_marker(end) && !marker_is_data) {
        return {ContentKind::interrupted, "a format that a power cut interrupted", 0, false, 0};
    }
    if (ext_found) {
        return describe_ext(ext);
    }
    if (is_our_luks(start)) {
        return {ContentKind::locked, "an encrypted data disk", 0, true, 0};
    }
    for (const Magic& magic : kMagics) {
        if (start.size() >= magic.offset && start.substr(magic.offset).starts_with(magic.bytes)) {
            return {ContentKind::foreign, std::string(magic.what), 0, false, 0};
        }
    }
    if (all_zero(start) && all_zero(end)) {
        return {ContentKind::blank, "nothing", 0, true, 0};
    }
    return {ContentKind::foreign, "data of an unknown kind", 0, false, 0};
}

}  // namespace thole
