// Lists whose items are names with colons between: alice:2000, physics:3000:alice:bob.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "config/schema.hpp"

namespace thole {

inline constexpr std::size_t kLongestFieldList = 1000;

/// One item: `minimum` to `maximum` names of lower-case letters, digits, '-' and '_'.
Result<std::string> canonical_fields(const Key& key, std::string_view item);

/// "NAME:NAME", for messages and the reference.
std::string fields_text(const Key& key);

}  // namespace thole
