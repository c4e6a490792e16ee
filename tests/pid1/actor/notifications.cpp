// sd_notify(3) as services and strangers send it.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "actor.hpp"

namespace actor {

namespace {

/// The socket of `$NOTIFY_SOCKET`, or of the path where one is given.
int open_socket(const std::string& given) {
    const char* variable = ::getenv("NOTIFY_SOCKET");
    const std::string path = given == "-" ? (variable == nullptr ? "" : variable) : given;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    auto length = static_cast<socklen_t>(sizeof address);
    if (path.starts_with('@')) {
        address.sun_path[0] = '\0';
        length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
    }
    const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || ::connect(fd, reinterpret_cast<const sockaddr*>(&address), length) != 0) {
        fail("connect to the notify socket '" + path + "'");
    }
    return fd;
}

void send(int fd, const std::string& text) {
    if (::send(fd, text.data(), text.size(), MSG_NOSIGNAL) < 0 && errno != EMSGSIZE && errno != ENOBUFS) {
        fail("send");
    }
}

}  // namespace

/// notify SOCKET exit|sleep TEXT...: a datagram each. notify-odd SOCKET: of no bytes, 64 KiB, 10,000 lines, NULs.
/// notify-flood SOCKET COUNT TEXT. SOCKET `-` is `$NOTIFY_SOCKET`.
int notifications(Words words) {
    const int fd = open_socket(words[1]);
    if (words[0] == "notify-flood") {
        for (std::int64_t left = number(words[2]); left > 0; --left) {
            send(fd, words[3]);
        }
        say("sent");
        return 0;
    }
    if (words[0] == "notify-odd") {
        send(fd, "");
        send(fd, std::string(65'536, 'A'));
        std::string lines;
        for (int at = 0; at < 10'000; ++at) {
            lines += "READY=1\n";
        }
        send(fd, lines);
        send(fd, std::string("READY\0=1\n", 9));
        send(fd, "=\n\n=1\nREADY=\nSTATUS\nMAINPID=-1\nMAINPID=99999999999999999999\nWATCHDOG_USEC=-5\n");
        say("sent");
        return 0;
    }
    for (const std::string& text : words.subspan(3)) {
        std::string lines = text;
        for (auto at = lines.find("\\n"); at != std::string::npos; at = lines.find("\\n", at)) {
            lines.replace(at, 2, "\n");
        }
        send(fd, lines);
    }
    say("sent");
    if (words[2] == "exit") {
        return 0;
    }
    sleep_forever();
}

}  // namespace actor
