#include "control/client.hpp"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/text.hpp"

namespace thole {

namespace {

constexpr time_t kAnswerSeconds = 10;

std::unexpected<Error> unreachable(const std::string& path, int code) {
    auto error = system_error("reach PID 1 at", path, code);
    error.error().message += code == EACCES   ? " (thole must run as root)"
                             : code == EAGAIN ? " (it does not answer; `thole reboot --force` works without it)"
                                              : " (is this a thole node?)";
    return error;
}

void set_patience(const Fd& socket, time_t seconds) {
    const timeval time{seconds, 0};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
    ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);  // connect(2) waits as long, too
}

Result<Fd> send_request(std::string_view request, const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket) {
        return unreachable(path, errno);
    }
    set_patience(socket, kAnswerSeconds);
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return unreachable(path, errno);
    }
    const std::string line = concat(request, "\n");
    if (::send(socket.get(), line.data(), line.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(line.size())) {
        return unreachable(path, errno);
    }
    return socket;
}

/// Adds what has come to `text`. Returns its size, 0 at the end, -1 with errno for an error.
ssize_t read_more(const Fd& socket, std::string& text) {
    std::array<char, 4096> buffer;
    ssize_t count = 0;
    do {
        count = ::read(socket.get(), buffer.data(), buffer.size());
    } while (count < 0 && errno == EINTR);
    if (count > 0) {
        text.append(buffer.data(), static_cast<std::size_t>(count));
    }
    return count;
}

std::unexpected<Error> refusal(std::string_view answer) {
    if (answer.starts_with("error ")) {
        return failure(std::string(trim(answer.substr(6))));
    }
    return failure("PID 1 closed the connection without an answer");
}

}  // namespace

Result<std::string> ask_pid1(std::string_view request, const std::string& path) {
    const auto socket = send_request(request, path);
    if (!socket) {
        return std::unexpected(socket.error());
    }
    std::string answer;
    ssize_t count = 0;
    while ((count = read_more(*socket, answer)) > 0) {
    }
    // What came before a connection was reset is the answer all the same.
    if (count < 0 && answer.empty()) {
        return unreachable(path, errno);
    }
    if (!answer.starts_with("ok\n")) {
        return refusal(answer);
    }
    return answer.erase(0, 3);
}

Result<std::vector<UnitStatus>> ask_status() {
    const auto body = ask_pid1("status");
    return body ? decode(*body) : std::unexpected(body.error());
}

const UnitStatus* find_unit(const std::vector<UnitStatus>& units, std::string_view name) {
    for (const UnitStatus& unit : units) {
        if (unit.name == name) {
            return &unit;
        }
    }
    return nullptr;
}

Result<EventStream> EventStream::open(const std::string& path) {
    auto socket = send_request("events", path);
    if (!socket) {
        return std::unexpected(socket.error());
    }
    EventStream stream(std::move(*socket));
    const auto line = stream.next_line();
    if (!line) {
        return std::unexpected(line.error());
    }
    if (*line != "ok") {
        return refusal(*line);
    }
    set_patience(stream.socket_, 0);
    return stream;
}

Result<std::string> EventStream::next_line() {
    std::size_t end = 0;
    while ((end = unread_.find('\n')) == std::string::npos) {
        const ssize_t count = read_more(socket_, unread_);
        if (count < 0) {
            return system_error("read", "PID 1's events");
        }
        if (count == 0) {
            return failure("PID 1 has closed the connection");
        }
    }
    std::string line = unread_.substr(0, end);
    unread_.erase(0, end + 1);
    return line;
}

Result<UnitEvent> EventStream::next() {
    const auto line = next_line();
    return line ? decode_event(*line) : std::unexpected(line.error());
}

}  // namespace thole
