// Clients of the control socket, good and bad.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "actor.hpp"

namespace actor {

namespace {

const std::string kSocket = "/run/thole/control";

/// ask WORD...: one request; the answer goes to standard output as it comes. Ends with 1 for an `error` answer, 2 where
/// PID 1 closed without one, 3 where there was no connection.
int ask(Words words) {
    const int fd = connect_to(kSocket);
    if (fd < 0) {
        say("no connection");
        return 3;
    }
    std::string request;
    for (const std::string& word : words) {
        request += (request.empty() ? "" : " ") + word;
    }
    request += "\n";
    if (::send(fd, request.data(), request.size(), MSG_NOSIGNAL) < 0) {
        return 2;
    }
    std::array<char, 16'384> buffer;
    std::string start;
    while (true) {
        const ssize_t count = ::read(fd, buffer.data(), buffer.size());
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            return start.starts_with("ok") ? 0 : start.starts_with("error") ? 1 : 2;
        }
        if (start.size() < 5) {
            start.append(buffer.data(), static_cast<std::size_t>(count));
        }
        (void)write_all(STDOUT_FILENO, buffer.data(), static_cast<std::size_t>(count));
    }
}

/// clients KIND COUNT: so many connections that do nothing (idle), send half a request (half), send garbage (garbage),
/// ask and never read (deaf), listen to events and never read (listener), or half a request and gone (gone).
int clients(Words words) {
    const std::string& kind = words[1];
    std::int64_t connected = 0;
    for (std::int64_t left = number(words[2]); left > 0; --left) {
        const int fd = connect_to(kSocket);
        if (fd < 0) {
            continue;
        }
        ++connected;
        ::fcntl(fd, F_SETFL, O_NONBLOCK);
        std::string text;
        if (kind == "half" || kind == "gone") {
            text = "stat";
        } else if (kind == "garbage") {
            text = std::string("\xff\x00\x01\x7f garbage \x80", 14) + std::string(3000, '\xfe') + "\n";
        } else if (kind == "deaf") {
            text = "status\n";
        } else if (kind == "listener") {
            text = "events\n";
        }
        (void)::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
        if (kind == "gone") {
            ::close(fd);
        }
    }
    say("connected " + std::to_string(connected));
    if (kind == "gone") {
        return 0;
    }
    sleep_forever();
}

/// A terminal that comes over a socket (runc's --console-socket).
int receive_terminal(int connection) {
    char letter = 0;
    iovec part{&letter, 1};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> room{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = room.data();
    message.msg_controllen = room.size();
    const ssize_t count = ::recvmsg(connection, &message, MSG_CMSG_CLOEXEC);
    const cmsghdr* const head = CMSG_FIRSTHDR(&message);
    if (count < 0 || head == nullptr || head->cmsg_type != SCM_RIGHTS) {
        fail("receive a terminal");
    }
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(head), sizeof fd);
    return fd;
}

/// terminal PATH: listens on a socket for one terminal, and shows what is said there until nobody holds it any more.
int terminal(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || ::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(listener, 1) != 0) {
        fail(path);
    }
    say("listening");
    const int fd = receive_terminal(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
    std::array<char, 4096> buffer;
    ssize_t count = 0;
    while ((count = ::read(fd, buffer.data(), buffer.size())) > 0) {
        (void)write_all(STDOUT_FILENO, buffer.data(), static_cast<std::size_t>(count));
    }
    return 0;
}

}  // namespace

int control(Words words) {
    if (words[0] == "terminal") {
        return terminal(words[1]);
    }
    return words[0] == "ask" ? ask(words.subspan(1)) : clients(words);
}

}  // namespace actor
