#include "os/probe.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "base/text.hpp"

namespace thole {

namespace {

std::unexpected<Error> not_an_address(std::string_view text) {
    return failure(
        concat("'", text, "' is not ADDRESS:PORT with a numeric address, such as 127.0.0.1:6443 or [::1]:53"));
}

}  // namespace

Result<ProbeAddress> parse_tcp_address(std::string_view text) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) {
        return not_an_address(text);
    }
    const auto port = parse_integer(text.substr(colon + 1), 1, 65'535);
    if (!port) {
        return std::unexpected(port.error());
    }
    std::string host(text.substr(0, colon));
    ProbeAddress address;
    if (host.starts_with('[') && host.ends_with(']')) {
        sockaddr_in6 six{};
        six.sin6_family = AF_INET6;
        six.sin6_port = htons(static_cast<std::uint16_t>(*port));
        if (::inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), &six.sin6_addr) != 1) {
            return not_an_address(text);
        }
        std::memcpy(&address.storage, &six, sizeof six);
        address.size = sizeof six;
        return address;
    }
    sockaddr_in four{};
    four.sin_family = AF_INET;
    four.sin_port = htons(static_cast<std::uint16_t>(*port));
    if (::inet_pton(AF_INET, host.c_str(), &four.sin_addr) != 1) {
        return not_an_address(text);
    }
    std::memcpy(&address.storage, &four, sizeof four);
    address.size = sizeof four;
    return address;
}

Result<ProbeAddress> unix_address(std::string_view path) {
    sockaddr_un where{};
    where.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof where.sun_path) {
        return failure(concat("'", path, "' is not a socket path of 1 to 107 bytes"));
    }
    path.copy(where.sun_path, path.size());
    ProbeAddress address;
    std::memcpy(&address.storage, &where, sizeof where);
    address.size = sizeof where;
    return address;
}

bool Probe::ask() {
    if (fd_) {
        return connected();
    }
    fd_ = Fd(::socket(address_.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd_) {
        return false;
    }
    const auto* where = reinterpret_cast<const sockaddr*>(&address_.storage);
    if (::connect(fd_.get(), where, address_.size) == 0) {
        fd_.reset();
        return true;
    }
    if (errno != EINPROGRESS) {
        fd_.reset();
        return false;
    }
    return connected();
}

bool Probe::connected() {
    pollfd waiting{fd_.get(), POLLOUT, 0};
    if (::poll(&waiting, 1, 0) != 1) {
        return false;
    }
    int error = 0;
    socklen_t size = sizeof error;
    const bool accepted = ::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
    fd_.reset();
    return accepted;
}

}  // namespace thole
