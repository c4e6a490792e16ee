// Checks and canonical forms of single values, one function a type of key.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"
#include "config/schema.hpp"

namespace thole {

/// Lower-case labels of letters, digits and inner hyphens, each of at most 63, with dots between. `longest` bounds the
/// whole.
Status check_hostname(std::string_view text, std::size_t longest);

/// True for a name that the kernel takes for a network interface.
bool is_interface_name(std::string_view text);

}  // namespace thole
