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

/// One piece of a text that is put together by concat(): a text, a character or a whole number. Two words wide, and
/// what a string holds is looked up only by join_pieces(): the node's binary makes hundreds of these.
class Piece {
   public:
    // Implicit on purpose: a call of concat() lists its pieces as they are.
    // NOLINTBEGIN(google-explicit-constructor)
    Piece(std::string_view piece) : word_(reinterpret_cast<std::uintptr_t>(piece.data())), size_(piece.size()) {}
    Piece(const char* piece) : word_(reinterpret_cast<std::uintptr_t>(piece)), size_(kTerminated) {}
    Piece(const std::string& piece) : word_(reinterpret_cast<std::uintptr_t>(&piece)), size_(kString) {}
    Piece(char piece) : word_(static_cast<unsigned char>(piece)), size_(kLetter) {}
    template <typename Number>
        requires std::is_integral_v<Number> && (!std::is_same_v<Number, char>)
    Piece(Number piece) : word_(static_cast<std::uintptr_t>(piece)), size_(kNumber) {}
    // NOLINTEND(google-explicit-constructor)

    void append_to(std::string& out) const;

   private:
    // Sizes that no text has say what the word is.
    static constexpr std::size_t kString = SIZE_MAX;
    static constexpr std::size_t kTerminated = SIZE_MAX - 1;
    static constexpr std::size_t kLetter = SIZE_MAX - 2;
    static constexpr std::size_t kNumber = SIZE_MAX - 3;

    std::uintptr_t word_;
    std::size_t size_;
};

std::string join_pieces(const Piece* pieces, std::size_t count);

/// Joins texts, characters and whole numbers into one string.
template <typename... Pieces>
std::string concat(const Pieces&... pieces) {
    const Piece list[]{Piece(pieces)...};
    return join_pieces(list, sizeof...(pieces));
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

/// A duration for people: "0.8 s", "12.3 s", "2 m 5 s".
std::string duration_text(Milliseconds duration);

/// A JSON string literal with its quotes (RFC 8259); bytes that are not valid UTF-8 become U+FFFD.
std::string json_string(std::string_view text);

}  // namespace thole
