#include "os/notify.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "base/text.hpp"
#include "os/file.hpp"

namespace thole {

namespace {

constexpr std::size_t kLongestDatagram = 4096;
constexpr std::size_t kMostDescriptors = 16;
constexpr std::size_t kLongestStatus = 200;

// musl's CMSG_NXTHDR compares a signed with an unsigned length and casts a byte pointer.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wcast-align"
cmsghdr* next_part(msghdr& message, cmsghdr* part) { return CMSG_NXTHDR(&message, part); }
#pragma GCC diagnostic pop

/// Closes descriptors that nobody asked for and finds the sender's credentials.
std::optional<ucred> take_control_data(msghdr& message) {
    std::optional<ucred> sender;
    for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr; part = next_part(message, part)) {
        if (part->cmsg_level != SOL_SOCKET) {
            continue;
        }
        if (part->cmsg_type == SCM_CREDENTIALS) {
            std::memcpy(&sender.emplace(), CMSG_DATA(part), sizeof(ucred));
        } else if (part->cmsg_type == SCM_RIGHTS) {
            const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            for (std::size_t at = 0; at < count; ++at) {
                int fd = -1;
                std::memcpy(&fd, CMSG_DATA(part) + at * sizeof(int), sizeof fd);
                ::close(fd);
            }
        }
    }
    return sender;
}

/// Whether the sender lives in the cgroup or below it, or is the main process, whose last words count. Another that has
/// already gone cannot be looked up and could be anybody: short-lived helpers wait for a BARRIER=1.
bool belongs(const ucred& sender, std::string_view cgroup, pid_t main_process) {
    if (sender.pid == main_process || cgroup.empty()) {
        return true;
    }
    const auto text = read_file(concat("/proc/", sender.pid, "/cgroup"));
    if (!text) {
        return false;
    }
    for (const auto line : split(*text, '\n')) {
        if (line.starts_with("0::")) {
            const auto path = line.substr(3);
            return path == cgroup || (path.starts_with(cgroup) && path[cgroup.size()] == '/');
        }
    }
    return false;
}

}  // namespace

namespace {

std::optional<Milliseconds> microseconds(std::string_view text) {
    const auto count = parse_integer(text, 0, std::int64_t{30} * 24 * 3600 * 1'000'000);
    return count ? std::optional(Milliseconds((*count + 999) / 1000)) : std::nullopt;
}

void read_line(std::string_view line, Notification& out) {
    const auto equals = line.find('=');
    if (equals == std::string_view::npos) {
        return;
    }
    const auto name = line.substr(0, equals);
    const auto value = line.substr(equals + 1);
    const bool one = value == "1";
    if (name == "READY") {
        out.ready |= one;
    } else if (name == "RELOADING") {
        out.reloading |= one;
    } else if (name == "STOPPING") {
        out.stopping |= one;
    } else if (name == "WATCHDOG") {
        out.alive |= one;
        out.unhealthy |= value == "trigger";
    } else if (name == "FDSTORE") {
        out.kept_files |= one;
    } else if (name == "STATUS") {
        out.status = value.substr(0, kLongestStatus);
    } else if (name == "MAINPID") {
        out.main_pid = static_cast<pid_t>(parse_integer(value, 1, INT32_MAX).value_or(0));
    } else if (name == "EXTEND_TIMEOUT_USEC") {
        out.extension = microseconds(value);
    } else if (name == "WATCHDOG_USEC") {
        out.watchdog = microseconds(value);
    }
}

}  // namespace

Notification parse_notification(std::string_view datagram) {
    Notification notification;
    while (!datagram.empty()) {
        const auto end = std::min(datagram.find('\n'), datagram.size());
        read_line(datagram.substr(0, end), notification);
        datagram.remove_prefix(std::min(end + 1, datagram.size()));
    }
    return notification;
}

Result<Fd> bind_notify_socket(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
        return failure(concat("the socket path ", path, " is too long"));
    }
    path.copy(address.sun_path, path.size());
    Fd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) {
        return system_error("make the socket", path);
    }
    const int on = 1;
    ::unlink(path.c_str());
    if (::setsockopt(fd.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0 ||
        ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return system_error("bind the socket", path);
    }
    ::chmod(path.c_str(), 0666);  // services that run as another user report too; who they are is checked on receipt
    return fd;
}

Result<Notification> receive_notification(int socket, std::string_view cgroup, pid_t main_process) {
    std::array<char, kLongestDatagram> buffer;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(kMostDescriptors * sizeof(int))> control;
    iovec part{buffer.data(), buffer.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t size = ::recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (size < 0) {
        return system_error("receive from", "a notify socket");
    }
    const auto sender = take_control_data(message);
    if (!sender || (message.msg_flags & MSG_TRUNC) != 0 || !belongs(*sender, cgroup, main_process)) {
        return Notification{};
    }
    return parse_notification({buffer.data(), static_cast<std::size_t>(size)});
}

}  // namespace thole
