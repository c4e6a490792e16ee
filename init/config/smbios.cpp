#include "config/smbios.hpp"

#include <algorithm>
#include <cstddef>

namespace thole {

namespace {

constexpr unsigned char kOemStrings = 11;
constexpr unsigned char kEndOfTable = 127;
constexpr std::size_t kHeader = 4;  // type, length, handle

/// The strings behind a structure: each ends with NUL, and an empty one ends them. Takes them from the text.
std::vector<std::string_view> take_strings(std::string_view& text) {
    std::vector<std::string_view> strings;
    while (true) {
        const auto end = text.find('\0');
        const auto one = text.substr(0, end);
        text.remove_prefix(std::min(text.size(), one.size() + 1));
        if (one.empty() || end == std::string_view::npos) {
            // A structure without strings ends with two NULs, others with the one behind their last string's.
            if (strings.empty() && text.starts_with('\0')) {
                text.remove_prefix(1);
            }
            return strings;
        }
        strings.push_back(one);
    }
}

}  // namespace

std::vector<std::string_view> oem_strings(std::string_view table) {
    std::vector<std::string_view> found;
    while (table.size() >= kHeader) {
        const auto type = static_cast<unsigned char>(table[0]);
        const auto length = static_cast<unsigned char>(table[1]);
        if (type == kEndOfTable || length < kHeader || length > table.size()) {
            break;
        }
        table.remove_prefix(length);
        const auto strings = take_strings(table);
        if (type == kOemStrings) {
            found.insert(found.end(), strings.begin(), strings.end());
        }
    }
    return found;
}

}  // namespace thole
