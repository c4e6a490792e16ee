// Small text functions that the node binary needs and the standard library gives only at a price in size.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace thole {

using Milliseconds = std::chrono::milliseconds;

/// The decimal form of a number.
std::string to_text(std::int64_t number);

inline void append_piece(std::string& out, std::string_view piece) { out += piece; }
inline void append_piece(std::string& out, char piece) { out += piece; }
template <typename Number>
    requires std::is_integral_v<Number> && (!std::is_same_v<Number, char>)
void append_piece(std::string& out, Number piece) {
    out += to_text(static_cast<std::int64_t>(piece));
}

/// Joins texts, characters and whole numbers into one string.
template <typename... Pieces>
std::string concat(const Pieces&... pieces) {
    std::string out;
    (append_piece(out, pieces), ...);
    return out;
}

/// Without white space at both ends.
std::string_view trim(std::string_view text);

/// The pieces between separators; empty pieces are kept.
std::vector<std::string_view> split(std::string_view text, char separator);

/// The pieces between runs of white space; no empty pieces.
std::vector<std::string_view> split_words(std::string_view text);

std::string join(std::span<const std::string> parts, std::string_view separator);

/// A whole decimal number in [minimum, maximum]; the error says what was read and what is allowed.
Result<std::int64_t> parse_integer(std::string_view text, std::int64_t minimum, std::int64_t maximum);

/// A time: a number with ms, s, m or h ("200ms", "30s", "5m"); a bare number counts seconds. At most 30 days.
Result<Milliseconds> parse_duration(std::string_view text);

/// A size in bytes: a number with an optional K, M, G or T (powers of 1024).
Result<std::int64_t> parse_size(std::string_view text);

/// yes/no, true/false, on/off, 1/0.
Result<bool> parse_boolean(std::string_view text);

/// The candidate nearest to `word` by edit distance, or empty where none is near enough to be a slip of the pen.
std::string_view nearest_name(std::string_view word, std::span<const std::string_view> candidates);

/// A duration for people: "0.8 s", "12.3 s", "2 m 5 s".
std::string duration_text(Milliseconds duration);

/// A JSON string literal with its quotes (RFC 8259); bytes that are not valid UTF-8 become U+FFFD.
std::string json_string(std::string_view text);

}  // namespace thole
