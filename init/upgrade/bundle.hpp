// An upgrade's bundle: what its header says. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace thole::upgrade {

/// The header is small: what is larger is none.
inline constexpr std::size_t kLargestHeader = 4096;
/// One part of a bundle: so many bytes, with this BLAKE2b-256 as hexadecimal digits.
struct Part {
    std::uint64_t size = 0;
    std::string sum;
};

struct Bundle {
    std::string signature;       // base64; "-" where it is not signed
    std::string_view is_signed;  // what the signature is over, a part of the text that was parsed
    std::string version;
    std::string architecture;
    std::int64_t data_format = 0;
    std::string partition;  // the identifier that the root's partition gets
    Part kernel;
    Part root;
    std::uint64_t begin = 0;  // where the kernel begins; the root is behind it
};

/// Reads the header at the start of a bundle. `start` is its first kLargestHeader bytes, or all of it; what is returned
/// refers to it. Errors name the line.
Result<Bundle> parse_bundle(std::string_view start);

/// Negative where `left` is older than `right`, 0 where they are the same, positive where it is newer: by numbers
/// between dots, then by letters.
int compare_versions(std::string_view left, std::string_view right);

/// Whether a text can be a version: it becomes a file's name.
bool is_version(std::string_view text);

}  // namespace thole::upgrade
