#include "upgrade/entries.hpp"

#include "base/text.hpp"
#include "upgrade/bundle.hpp"

namespace thole::upgrade {

namespace {

constexpr std::string_view kPrefix = "thole-";
constexpr std::string_view kSuffix = ".efi";
constexpr std::int64_t kMost = 1'000'000;

std::optional<unsigned> parse_count(std::string_view text) {
    const auto number = parse_integer(text, 0, kMost);
    return number ? std::optional(static_cast<unsigned>(*number)) : std::nullopt;
}

}  // namespace

std::optional<Entry> parse_entry(std::string_view file_name) {
    if (!file_name.starts_with(kPrefix) || !file_name.ends_with(kSuffix) ||
        file_name.size() <= kPrefix.size() + kSuffix.size()) {
        return std::nullopt;
    }
    std::string_view text = file_name.substr(kPrefix.size(), file_name.size() - kPrefix.size() - kSuffix.size());
    const auto plus = text.find('+');
    Entry entry{std::string(text.substr(0, plus)), std::nullopt, 0};
    if (!is_version(entry.version)) {
        return std::nullopt;
    }
    if (plus == std::string_view::npos) {
        return entry;
    }
    text.remove_prefix(plus + 1);
    const auto hyphen = text.find('-');
    entry.left = parse_count(text.substr(0, hyphen));
    const auto done = hyphen == std::string_view::npos ? std::optional(0U) : parse_count(text.substr(hyphen + 1));
    if (!entry.left || !done) {
        return std::nullopt;
    }
    entry.done = *done;
    return entry;
}

std::string file_name(const Entry& entry) {
    std::string name = concat(kPrefix, entry.version);
    if (entry.left) {
        append(name, '+', *entry.left);
        if (entry.done > 0) {
            append(name, '-', entry.done);
        }
    }
    return name += kSuffix;
}

std::string find_version(const std::vector<std::string>& files, std::string_view version) {
    for (const std::string& name : files) {
        const auto entry = parse_entry(name);
        if (entry && entry->version == version) {
            return name;
        }
    }
    return {};
}

std::string other_version(const std::vector<std::string>& files, std::string_view version) {
    std::string found;
    for (const std::string& name : files) {
        const auto entry = parse_entry(name);
        if (entry && entry->version != version && !entry->given_up() &&
            (found.empty() || compare_versions(entry->version, found) > 0)) {
            found = entry->version;
        }
    }
    return found;
}

}  // namespace thole::upgrade
