// The one reader of ini files on the node: inih with line numbers, used for node.ini and for units.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace thole {

struct IniEntry {
    std::string_view section;
    std::string_view key;
    std::string_view value;  // indented lines that continue a value come as entries of the same key, one a line
    int line = 0;
};

/// Calls `handle` for each key of `text` in order; stops at the first error. Errors of syntax and of `handle` come back
/// as "FILE:LINE: why". NUL bytes, lines over 64 KiB and keys outside a section are errors.
Status parse_ini(std::string_view file, std::string_view text, const std::function<Status(const IniEntry&)>& handle);

}  // namespace thole
