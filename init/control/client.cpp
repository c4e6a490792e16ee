#include "control/client.hpp"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/text.hpp"
#include "control/protocol.hpp"
#include "os/fd.hpp"

namespace thole {

namespace {

constexpr time_t kAnswerSeconds = 10;

std::unexpected<Error> unreachable(int code) {
    auto error = system_error("reach PID 1 at", kControlSocket, code);
    error.error().message += code == EACCES ? " (thole must run as root)" : " (is this a thole node?)";
    return error;
}

}  // namespace

Result<std::string> ask_pid1(std::string_view request) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    kControlSocket.copy(address.sun_path, sizeof address.sun_path - 1);
    const Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const timeval time{kAnswerSeconds, 0};
    if (!socket || ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time) != 0 ||
        ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return unreachable(errno);
    }
    const std::string line = concat(request, "\n");
    if (::send(socket.get(), line.data(), line.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(line.size())) {
        return unreachable(errno);
    }
    std::string answer;
    std::array<char, 4096> buffer;
    while (true) {
        const ssize_t count = ::read(socket.get(), buffer.data(), buffer.size());
        if (count < 0 && errno != EINTR) {
            return unreachable(errno);
        }
        if (count == 0) {
            break;
        }
        answer.append(buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    }
    if (answer.starts_with("ok\n")) {
        return answer.substr(3);
    }
    if (answer.starts_with("error ")) {
        return failure(std::string(trim(std::string_view(answer).substr(6))));
    }
    return failure("PID 1 closed the connection without an answer");
}

}  // namespace thole
