// The command line's end of the control socket.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"

namespace thole {

/// Sends one request line and returns the body of the answer. Errors: PID 1 cannot be reached, or what it answered.
Result<std::string> ask_pid1(std::string_view request);

}  // namespace thole
