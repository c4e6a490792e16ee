#include "os/notify_sender.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <string>

#include "os/fd.hpp"
#include "os/pipe.hpp"

namespace thole {

namespace {

/// Waits until PID 1 has read what was sent before: it then closes the descriptor (BARRIER=1, sd_notify(3)). PID 1
/// takes no word of a process that has gone, because it cannot see any more whose it was.
void wait_until_read(int socket, const sockaddr_un& address, socklen_t length) {
    constexpr int kLongest = 5000;
    auto pipe = make_pipe("a barrier");
    if (!pipe) {
        return;
    }
    std::string text = "BARRIER=1";
    iovec part{text.data(), text.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    sockaddr_un target = address;
    msghdr message{};
    message.msg_name = &target;
    message.msg_namelen = length;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    const int fd = pipe->writer.get();
    std::memcpy(CMSG_DATA(rights), &fd, sizeof fd);
    if (::sendmsg(socket, &message, MSG_NOSIGNAL) > 0) {
        pipe->writer.reset();
        pollfd closed{pipe->reader.get(), 0, 0};
        ::poll(&closed, 1, kLongest);
    }
}

Status send(std::string_view path, std::string_view message, bool wait) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path) {
        return failure("NOTIFY_SOCKET is not set: the unit's readiness will time out");
    }
    std::ranges::copy(path, static_cast<char*>(address.sun_path));
    if (path.starts_with('@')) {
        address.sun_path[0] = '\0';
    }
    const Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
    if (!socket || ::sendto(socket.get(), message.data(), message.size(), MSG_NOSIGNAL,
                            reinterpret_cast<const sockaddr*>(&address), length) < 0) {
        return system_error("notify", path);
    }
    if (wait) {
        wait_until_read(socket.get(), address, length);
    }
    return {};
}

}  // namespace

Status notify(std::string_view path, std::string_view message) { return send(path, message, false); }

Status notify_and_wait(std::string_view path, std::string_view message) { return send(path, message, true); }

}  // namespace thole
