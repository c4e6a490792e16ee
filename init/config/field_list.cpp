#include "config/field_list.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace thole {

namespace {

constexpr std::size_t kLongestName = 31;

bool is_name(std::string_view field) {
    return !field.empty() && field.size() <= kLongestName && std::ranges::all_of(field, [](char letter) {
        return (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9') || letter == '-' || letter == '_';
    });
}

}  // namespace

Result<std::string> canonical_fields(const Key& key, std::string_view item) {
    const auto fields = split(item, ':');
    const auto count = static_cast<std::int64_t>(fields.size());
    if (count < key.minimum || count > key.maximum) {
        return failure(concat("'", item, "' has ", count, " parts, where ", fields_text(key), " is meant"));
    }
    for (const auto field : fields) {
        if (!is_name(field)) {
            return failure(concat("'", field, "' in '", item,
                                  "' is not a name of lower-case letters, digits, '-' and '_', at most ", kLongestName,
                                  " of them"));
        }
    }
    return std::string(item);
}

std::string fields_text(const Key& key) {
    constexpr std::int64_t kShown = 3;
    std::string text = "NAME";
    for (std::int64_t part = 1; part < std::min(key.maximum, kShown); ++part) {
        text += part < key.minimum ? ":NAME" : "[:NAME]";
    }
    return key.maximum > kShown ? text + "..." : text;
}

}  // namespace thole
