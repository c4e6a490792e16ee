// What lies on a block device, told from its first bytes: blank, our own file system, or something that must not be
// touched.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace thole {

inline constexpr std::string_view kDataLabel = "thole-data";

/// How much of a device's start describe_content() wants to see; also the part at each end that must be zero on a blank
/// one.
inline constexpr std::size_t kProbeSize = std::size_t{1} << 20U;

/// The last bytes of a data disk are never part of its file system. While it is formatted this text stands there,
/// written before the first byte of the format and removed after the last, so that a power cut in between is told from
/// a foreign disk.
inline constexpr std::size_t kReservedEnd = kProbeSize;
inline constexpr std::string_view kFormatMarker =
    "thole-data: this disk is being formatted; power was cut if this is left\n";

enum class ContentKind : std::uint8_t {
    blank,
    ours,
    locked,  // a LUKS2 container with our label: what is in it is seen once it is open
    interrupted,
    foreign,
};

struct Content {
    ContentKind kind = ContentKind::foreign;
    std::string what;          // for people: "an xfs file system", "an ext4 file system with the label 'root'"
    std::uint64_t size = 0;    // ours: bytes of the file system
    bool clean = true;         // ours: unmounted in order, no error noted
    std::int64_t written = 0;  // ours: when it was last written, in seconds since 1970
};

/// `start` and `end` are the first and last kProbeSize bytes of a device of `device_size` bytes.
Content describe_content(std::string_view start, std::string_view end, std::uint64_t device_size);

/// Where on the device the marker stands.
constexpr std::uint64_t marker_offset(std::uint64_t device_size) { return device_size - 4096; }

}  // namespace thole
