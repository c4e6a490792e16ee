// The service's end of the sd_notify protocol (systemd: sd_notify(3)); PID 1's is notify.hpp.
#pragma once

#include <string_view>

#include "base/error.hpp"

namespace thole {

/// Sends lines of NAME=VALUE to `path`, the value of NOTIFY_SOCKET: a path, or an abstract name with '@' before it.
Status notify(std::string_view path, std::string_view message);

/// The same, and waits until it has been read (BARRIER=1), for a process that is about to end.
Status notify_and_wait(std::string_view path, std::string_view message);

}  // namespace thole
