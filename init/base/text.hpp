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

/// What one piece of a text is, for join_pieces(): three bits each, from the lowest on, with 0 behind the last.
enum class Piece : std::uint8_t { none, string, view, terminated, letter, number };

/// Adds pieces that are each one machine word: a pointer to a string or a view, a text that ends with NUL, a letter or
/// a number. Called by append() and concat() alone, which see to the types. So the pieces of a call go in registers:
/// the node's binary has hundreds of calls.
void append_pieces(std::string& out, std::uint64_t kinds, ...);
std::string join_pieces(std::uint64_t kinds, ...);

template <typename T>
constexpr Piece piece_of() {
    if constexpr (std::is_same_v<T, std::string>) {
        return Piece::string;
    } else if constexpr (std::is_same_v<T, std::string_view>) {
        return Piece::view;
    } else if constexpr (std::is_same_v<T, char>) {
        return Piece::letter;
    } else if constexpr (std::is_integral_v<T>) {
        return Piece::number;
    } else {
        static_assert(std::is_convertible_v<T, const char*>);
        return Piece::terminated;
    }
}

template <typename T>
[[gnu::always_inline]] inline std::uintptr_t word_of(const T& piece) {
    constexpr Piece kKind = piece_of<T>();
    if constexpr (kKind == Piece::string || kKind == Piece::view) {
        return reinterpret_cast<std::uintptr_t>(&piece);
    } else if constexpr (kKind == Piece::terminated) {
        return reinterpret_cast<std::uintptr_t>(static_cast<const char*>(piece));
    } else {
        return static_cast<std::uintptr_t>(piece);
    }
}

/// The kinds of all pieces, for append_pieces().
template <typename... Pieces>
consteval std::uint64_t kinds_of() {
    static_assert(sizeof...(Pieces) <= 21, "64 bits hold 21 kinds");
    std::uint64_t kinds = 0;
    unsigned shift = 0;
    ((kinds |= std::uint64_t{static_cast<std::uint8_t>(piece_of<Pieces>())} << shift, shift += 3), ...);
    return kinds;
}

/// Joins texts, characters and whole numbers into one string.
template <typename... Pieces>
[[gnu::always_inline]] inline std::string concat(const Pieces&... pieces) {
    return join_pieces(kinds_of<Pieces...>(), word_of(pieces)...);
}

/// Adds the same to a string, without one in between.
template <typename... Pieces>
[[gnu::always_inline]] inline void append(std::string& out, const Pieces&... pieces) {
    append_pieces(out, kinds_of<Pieces...>(), word_of(pieces)...);
}

/// Without white space at both ends.
std::string_view trim(std::string_view text);

/// The pieces between separators; empty pieces are kept.
std::vector<std::string_view> split(std::string_view text, char separator);

/// The pieces between runs of white space; no empty pieces.
std::vector<std::string_view> split_words(std::string_view text);

/// The positions of the names in the names' ascending order; equal names keep theirs.
std::vector<std::size_t> order_of(const std::vector<std::string_view>& names);

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

/// Each byte as two hexadecimal digits, in small letters.
std::string hexadecimal(std::span<const std::uint8_t> bytes);

/// A duration for people: "0.8 s", "12.3 s", "2 m 5 s".
std::string duration_text(Milliseconds duration);

/// A JSON string literal with its quotes (RFC 8259); bytes that are not valid UTF-8 become U+FFFD.
std::string json_string(std::string_view text);

}  // namespace thole
