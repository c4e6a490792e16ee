// Paths as values of keys.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"
#include "config/schema.hpp"

namespace thole {

/// One absolute path. Letters that mean something in the files which services read are refused.
Result<std::string> canonical_path(const Key& key, std::string_view value);

}  // namespace thole
