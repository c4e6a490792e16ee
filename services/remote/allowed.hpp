// Which commands may be asked of a node from elsewhere. What is not in the table is not done.
#pragma once

#include <span>
#include <string>

#include "base/error.hpp"
#include "grant.hpp"

namespace thole::remote {

/// An error that says what is missing: such a command at all, or the role for it.
Status check_allowed(Role role, std::span<const std::string> words);

/// Of two roles the one that may less.
Role lesser(Role left, Role right);

}  // namespace thole::remote
