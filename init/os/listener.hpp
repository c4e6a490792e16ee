// Sockets that PID 1 opens for its services (systemd: sd_listen_fds(3)).
#pragma once

#include "base/listen_address.hpp"
#include "os/fd.hpp"

namespace thole {

/// Binds, and listens where the type is a stream. What lies at the path of a unix socket is replaced; the socket's
/// directory is made. Errors: of the system calls, naming the address.
Result<Fd> open_listener(std::string_view text);

}  // namespace thole
