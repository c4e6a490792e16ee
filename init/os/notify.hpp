// The socket of the sd_notify protocol (systemd: sd_notify(3)), one a service, bound before its process exists.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"
#include "os/fd.hpp"

namespace thole {

/// What one datagram said.
struct Notification {
    bool ready = false;
    bool stopping = false;
    std::string status;  // STATUS=, empty where there was none
};

/// Reads "NAME=value" lines; unknown names and malformed lines are passed over, as the protocol wants.
Notification parse_notification(std::string_view datagram);

class NotifySocket {
   public:
    /// Binds a datagram socket at PATH (replacing what is there) that tells the sender's pid.
    static Result<NotifySocket> bind(const std::string& path);

    [[nodiscard]] int fd() const { return fd_.get(); }

    /// One waiting datagram of at most 4 KiB, if there is one. Descriptors that come with it are closed. Datagrams
    /// whose sender is alive and not in CGROUP (a path below the cgroup root, with a leading slash) are dropped and
    /// give an empty notification.
    Result<Notification> receive(std::string_view cgroup);

   private:
    explicit NotifySocket(Fd fd) : fd_(std::move(fd)) {}

    Fd fd_;
};

}  // namespace thole
