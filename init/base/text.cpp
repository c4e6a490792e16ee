#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdarg>
#include <cstdlib>
#include <limits>

namespace thole {

namespace {

constexpr std::string_view kHexadecimalDigits = "0123456789abcdef";
constexpr std::string_view kWhiteSpace = " \t\r\n";

struct Unit {
    std::string_view suffix;
    std::int64_t factor;
};

/// "NUMBER SUFFIX" with a suffix from a table; the product stays below `maximum`.
Result<std::int64_t> parse_with_unit(std::string_view text, std::span<const Unit> units, std::int64_t maximum,
                                     std::string_view allowed) {
    const auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
    const auto suffix = text.substr(digits);
    std::int64_t number = 0;
    const auto read = std::from_chars(text.data(), text.data() + digits, number);
    if (digits == 0 || read.ec != std::errc{}) {
        return failure(concat("'", text, "' is not ", allowed));
    }
    for (const Unit& unit : units) {
        if (unit.suffix != suffix) {
            continue;
        }
        if (number > maximum / unit.factor) {
            return failure(concat("'", text, "' is too large: the most is ", maximum / unit.factor, unit.suffix));
        }
        return number * unit.factor;
    }
    return failure(concat("'", text, "' is not ", allowed));
}

std::size_t edit_distance(std::string_view left, std::string_view right) {
    std::vector<std::size_t> row(right.size() + 1);
    for (std::size_t column = 0; column < row.size(); ++column) {
        row[column] = column;
    }
    for (std::size_t line = 1; line <= left.size(); ++line) {
        std::size_t diagonal = row[0];
        row[0] = line;
        for (std::size_t column = 1; column <= right.size(); ++column) {
            const std::size_t replaced = diagonal + (left[line - 1] == right[column - 1] ? 0 : 1);
            diagonal = row[column];
            row[column] = std::min({row[column] + 1, row[column - 1] + 1, replaced});
        }
    }
    return row.back();
}

/// The length of the valid UTF-8 sequence at the start of `text`, 0 where it is none (RFC 3629).
std::size_t utf8_length(std::string_view text) {
    const auto byte = [&](std::size_t at) { return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U; };
    const auto continues = [&](std::size_t at) { return (byte(at) & 0xC0U) == 0x80U; };
    const unsigned first = byte(0);
    if (first < 0x80U) {
        return 1;
    }
    if (first >= 0xC2U && first <= 0xDFU && continues(1)) {
        return 2;
    }
    if (first >= 0xE0U && first <= 0xEFU && continues(1) && continues(2)) {
        const bool overlong = first == 0xE0U && byte(1) < 0xA0U;
        const bool surrogate = first == 0xEDU && byte(1) > 0x9FU;
        return overlong || surrogate ? 0 : 3;
    }
    if (first >= 0xF0U && first <= 0xF4U && continues(1) && continues(2) && continues(3)) {
        const bool overlong = first == 0xF0U && byte(1) < 0x90U;
        const bool beyond = first == 0xF4U && byte(1) > 0x8FU;
        return overlong || beyond ? 0 : 4;
    }
    return 0;
}

}  // namespace

std::string to_text(std::int64_t number) {
    std::array<char, 24> buffer{};
    const auto written = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number);
    return {buffer.data(), written.ptr};
}

namespace {

void append_list(std::string& out, std::uint64_t kinds, va_list words) {
    for (; kinds != 0; kinds >>= 3U) {
        const auto word = va_arg(words, std::uintptr_t);
        // NOLINTBEGIN(performance-no-int-to-ptr): the words were made from these pointers.
        switch (static_cast<Piece>(kinds & 7U)) {
            case Piece::string: out += *reinterpret_cast<const std::string*>(word); break;
            case Piece::view: out += *reinterpret_cast<const std::string_view*>(word); break;
            case Piece::terminated: out += reinterpret_cast<const char*>(word); break;
            case Piece::letter: out += static_cast<char>(word); break;
            default: out += to_text(static_cast<std::int64_t>(word));
        }
        // NOLINTEND(performance-no-int-to-ptr)
    }
}

}  // namespace

void append_pieces(std::string& out, std::uint64_t kinds, ...) {
    va_list words;
    va_start(words, kinds);
    append_list(out, kinds, words);
    va_end(words);
}

std::string join_pieces(std::uint64_t kinds, ...) {
    std::string out;
    va_list words;
    va_start(words, kinds);
    append_list(out, kinds, words);
    va_end(words);
    return out;
}

std::string_view trim(std::string_view text) {
    const auto first = text.find_first_not_of(kWhiteSpace);
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(kWhiteSpace) - first + 1);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    while (true) {
        const auto end = text.find(separator);
        parts.push_back(text.substr(0, end));
        if (end == std::string_view::npos) {
            return parts;
        }
        text.remove_prefix(end + 1);
    }
}

std::vector<std::string_view> split_words(std::string_view text) {
    std::vector<std::string_view> words;
    while (true) {
        const auto first = text.find_first_not_of(kWhiteSpace);
        if (first == std::string_view::npos) {
            return words;
        }
        text.remove_prefix(first);
        const auto length = std::min(text.find_first_of(kWhiteSpace), text.size());
        words.push_back(text.substr(0, length));
        text.remove_prefix(length);
    }
}

std::vector<std::size_t> order_of(const std::vector<std::string_view>& names) {
    struct Entry {
        std::string_view name;
        std::size_t position;
    };
    std::vector<Entry> entries;
    for (const std::string_view name : names) {
        entries.push_back({name, entries.size()});
    }
    // Not std::sort: each kind of element that it sorts costs 4 KB of code.
    const auto compare = [](const void* left, const void* right) {
        const auto& one = *static_cast<const Entry*>(left);
        const auto& other = *static_cast<const Entry*>(right);
        const int difference = one.name.compare(other.name);
        return difference != 0 ? difference : (one.position < other.position ? -1 : 1);
    };
    if (!entries.empty()) {
        std::qsort(entries.data(), entries.size(), sizeof(Entry), compare);
    }
    std::vector<std::size_t> order;
    for (const Entry& entry : entries) {
        order.push_back(entry.position);
    }
    return order;
}

std::string join(std::span<const std::string> parts, std::string_view separator) {
    std::string out;
    for (const auto& part : parts) {
        if (!out.empty()) {
            out += separator;
        }
        out += part;
    }
    return out;
}

Result<std::int64_t> parse_integer(std::string_view text, std::int64_t minimum, std::int64_t maximum) {
    std::int64_t number = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
    if (read.ec != std::errc{} || read.ptr != text.data() + text.size() || number < minimum || number > maximum) {
        return failure(concat("'", text, "' is not a whole number from ", minimum, " to ", maximum));
    }
    return number;
}

Result<Milliseconds> parse_duration(std::string_view text) {
    static constexpr std::array<Unit, 5> kUnits{{{"ms", 1}, {"s", 1000}, {"", 1000}, {"m", 60'000}, {"h", 3'600'000}}};
    constexpr std::int64_t kLongest = 30LL * 24 * 3'600'000;
    const auto count = parse_with_unit(text, kUnits, kLongest, "a time such as 200ms, 30s, 5m or 1h");
    if (!count) {
        return std::unexpected(count.error());
    }
    return Milliseconds(*count);
}

Result<std::int64_t> parse_size(std::string_view text) {
    static constexpr std::array<Unit, 5> kUnits{
        {{"", 1}, {"K", 1LL << 10}, {"M", 1LL << 20}, {"G", 1LL << 30}, {"T", 1LL << 40}}};
    return parse_with_unit(text, kUnits, std::numeric_limits<std::int64_t>::max(),
                           "a size such as 4096, 64K, 4M or 1G");
}

Result<bool> parse_boolean(std::string_view text) {
    for (const std::string_view word : {"yes", "true", "on", "1"}) {
        if (text == word) {
            return true;
        }
    }
    for (const std::string_view word : {"no", "false", "off", "0"}) {
        if (text == word) {
            return false;
        }
    }
    return failure(concat("'", text, "' is not yes or no"));
}

std::string_view nearest_name(std::string_view word, std::span<const std::string_view> candidates) {
    std::string_view best;
    std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
    for (const auto candidate : candidates) {
        const std::size_t distance = edit_distance(word.substr(0, 64), candidate);
        if (distance < best_distance) {
            best = candidate;
            best_distance = distance;
        }
    }
    return best;
}

std::string hexadecimal(std::span<const std::uint8_t> bytes) {
    std::string digits;
    for (const std::uint8_t byte : bytes) {
        digits += kHexadecimalDigits[byte >> 4U];
        digits += kHexadecimalDigits[byte & 15U];
    }
    return digits;
}

std::string duration_text(Milliseconds duration) {
    const std::int64_t total = duration.count();
    if (total >= 60'000) {
        return concat(total / 60'000, " m ", total % 60'000 / 1000, " s");
    }
    return concat(total / 1000, ".", total % 1000 / 100, " s");
}

std::string json_string(std::string_view text) {
    std::string out = "\"";
    while (!text.empty()) {
        const std::size_t length = utf8_length(text);
        const auto byte = static_cast<unsigned char>(text[0]);
        if (length == 0) {
            out += "\xEF\xBF\xBD";
        } else if (byte == '"' || byte == '\\') {
            out += '\\';
            out += text[0];
        } else if (byte < 0x20) {
            out += "\\u00";
            out += kHexadecimalDigits[byte >> 4U];
            out += kHexadecimalDigits[byte & 15U];
        } else {
            out += text.substr(0, length);
        }
        text.remove_prefix(std::max<std::size_t>(1, length));
    }
    return out += '"';
}

}  // namespace thole
