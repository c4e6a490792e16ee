// The socket of the sd_notify protocol (systemd: sd_notify(3)), one a service, bound before its process exists.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/text.hpp"
#include "os/fd.hpp"

namespace thole {

/// What one datagram said.
struct Notification {
    bool ready = false;
    bool reloading = false;
    bool stopping = false;
    bool alive = false;                     // WATCHDOG=1
    bool unhealthy = false;                 // WATCHDOG=trigger
    bool kept_files = false;                // FDSTORE=1, which is refused
    pid_t main_pid = 0;                     // MAINPID=, 0 where there was none
    std::optional<Milliseconds> extension;  // EXTEND_TIMEOUT_USEC=
    std::optional<Milliseconds> watchdog;   // WATCHDOG_USEC=
    std::optional<std::string> status;      // STATUS=
};

/// Reads "NAME=value" lines; unknown names and malformed lines are passed over, as the protocol wants.
Notification parse_notification(std::string_view datagram);

/// Binds a datagram socket at PATH (replacing what is there) that tells the sender's pid.
Result<Fd> bind_notify_socket(const std::string& path);

/// One waiting datagram of at most 4 KiB, if there is one. Descriptors that come with it are closed when it has been
/// read: that is what BARRIER=1 waits for, and FDSTORE=1 gets no other answer. Datagrams whose sender is neither
/// MAIN_PROCESS nor in CGROUP (a path below the cgroup root, with a leading slash; empty where there are none) are
/// dropped and give an empty notification.
Result<Notification> receive_notification(int socket, std::string_view cgroup, pid_t main_process);

}  // namespace thole
