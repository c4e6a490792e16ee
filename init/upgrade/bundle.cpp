#include "upgrade/bundle.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace thole::upgrade {

namespace {

constexpr std::string_view kFirstLine = "thole upgrade 1";
constexpr std::size_t kSumDigits = 64;
constexpr std::size_t kGuidLetters = 36;
constexpr std::size_t kLongestVersion = 40;
constexpr std::int64_t kLargestPart = std::int64_t{1} << 40U;

bool is_digit(char letter) { return letter >= '0' && letter <= '9'; }

bool is_hex(std::string_view text) {
    return std::ranges::all_of(text, [](char letter) { return is_digit(letter) || (letter >= 'a' && letter <= 'f'); });
}

/// "kernel SIZE SUM"
Result<Part> parse_part(const std::vector<std::string_view>& words) {
    if (words.size() != 3 || words[2].size() != kSumDigits || !is_hex(words[2])) {
        return failure("it is not a size and a sum of 64 digits");
    }
    const auto size = parse_integer(words[1], 1, kLargestPart);
    if (!size) {
        return std::unexpected(size.error());
    }
    return Part{static_cast<std::uint64_t>(*size), std::string(words[2])};
}

bool is_guid(std::string_view text) {
    for (std::size_t at = 0; at < text.size(); ++at) {
        const bool hyphen = at == 8 || at == 13 || at == 18 || at == 23;
        if (hyphen ? text[at] != '-' : !is_hex(text.substr(at, 1))) {
            return false;
        }
    }
    return text.size() == kGuidLetters;
}

Status take_line(Bundle& bundle, const std::vector<std::string_view>& words) {
    const std::string_view name = words[0];
    if (name == "kernel" || name == "root") {
        auto part = parse_part(words);
        if (!part) {
            return std::unexpected(part.error());
        }
        (name == "kernel" ? bundle.kernel : bundle.root) = std::move(*part);
        return {};
    }
    if (words.size() != 2) {
        return failure("it is not a name and a value");
    }
    if (name == "version" && is_version(words[1])) {
        bundle.version = words[1];
    } else if (name == "architecture") {
        bundle.architecture = words[1];
    } else if (name == "partition" && is_guid(words[1])) {
        bundle.partition = words[1];
    } else if (name == "data-format") {
        const auto number = parse_integer(words[1], 1, INT32_MAX);
        if (!number) {
            return std::unexpected(number.error());
        }
        bundle.data_format = *number;
    } else {
        return failure("it is not known, or its value is not what it should be");
    }
    return {};
}

Status check_whole(const Bundle& bundle) {
    if (bundle.version.empty() || bundle.architecture.empty() || bundle.partition.empty() || bundle.data_format == 0 ||
        bundle.kernel.size == 0 || bundle.root.size == 0) {
        return failure("the header does not say version, architecture, data-format, partition, kernel and root");
    }
    return {};
}

std::string_view next_line(std::string_view& text) {
    const auto end = text.find('\n');
    const auto line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    return line;
}

/// A tilde comes before the end: 1.0~rc1 is older than 1.0.
int rank_of_first(std::string_view text) {
    if (text.empty()) {
        return 0;
    }
    return text.front() == '~' ? -1 : static_cast<unsigned char>(text.front());
}

/// The number at the start of a text, taken from it; leading zeros do not count.
std::string_view take_number(std::string_view& text) {
    const auto end = std::ranges::find_if_not(text, is_digit) - text.begin();
    std::string_view number = text.substr(0, static_cast<std::size_t>(end));
    text.remove_prefix(static_cast<std::size_t>(end));
    while (number.size() > 1 && number.front() == '0') {
        number.remove_prefix(1);
    }
    return number;
}

}  // namespace

Result<Bundle> parse_bundle(std::string_view start) {
    std::string_view text = start.substr(0, kLargestHeader);
    if (next_line(text) != kFirstLine) {
        return failure("it is no bundle for an upgrade: it does not begin with 'thole upgrade 1'");
    }
    Bundle bundle;
    const auto signature = split_words(next_line(text));
    if (signature.size() != 2 || signature[0] != "signature") {
        return failure("line 2 is not its signature");
    }
    bundle.signature = signature[1];
    const std::string_view rest = text;
    for (int number = 3; !text.empty(); ++number) {
        const auto line = next_line(text);
        if (line.empty()) {
            bundle.begin = static_cast<std::uint64_t>(text.data() - start.data());
            bundle.is_signed = rest.substr(0, rest.size() - text.size());
            if (auto checked = check_whole(bundle); !checked) {
                return std::unexpected(checked.error());
            }
            return bundle;
        }
        const auto words = split_words(line);
        const auto taken = words.empty() ? Status(failure("it is blank")) : take_line(bundle, words);
        if (!taken) {
            return with_context(concat("line ", number, " of the header"), taken.error());
        }
    }
    return failure("the header does not end within 4 KiB");
}

int compare_versions(std::string_view left, std::string_view right) {
    while (!left.empty() || !right.empty()) {
        const auto one = take_number(left);
        const auto other = take_number(right);
        if (one.size() != other.size()) {
            return one.size() < other.size() ? -1 : 1;
        }
        if (const int order = one.compare(other); order != 0) {
            return order;
        }
        if (const int order = rank_of_first(left) - rank_of_first(right); order != 0) {
            return order;
        }
        left.remove_prefix(left.empty() ? 0 : 1);
        right.remove_prefix(right.empty() ? 0 : 1);
    }
    return 0;
}

bool is_version(std::string_view text) {
    const auto allowed = [](char letter) {
        return is_digit(letter) || (letter >= 'a' && letter <= 'z') || letter == '.' || letter == '~';
    };
    return !text.empty() && text.size() <= kLongestVersion && is_digit(text.front()) &&
           std::ranges::all_of(text, allowed);
}

}  // namespace thole::upgrade
