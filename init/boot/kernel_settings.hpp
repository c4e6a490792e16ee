// Sysctls and resource limits.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"
#include "os/console.hpp"

namespace thole {

/// Writes every "key = value" line of `text` below `proc_sys`. Dots in a key are slashes of its path, unless the key
/// has slashes. Returns the keys that could not be set, each with its reason, separated by commas; an error for a line
/// that is no setting.
Result<std::string> apply_sysctls(std::string_view file, std::string_view text, const std::string& proc_sys);

/// The image's sysctl file, with a report of what is missing. Never fatal.
void set_sysctls(Console& console);

/// Descriptors, locked memory and processes for PID 1 and all that it starts.
void raise_limits(Console& console);

}  // namespace thole
