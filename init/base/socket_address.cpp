#include "base/socket_address.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <cstring>

#include "base/text.hpp"

namespace thole {

namespace {

template <typename Address>
SocketAddress stored(const Address& address) {
    SocketAddress result;
    std::memcpy(&result.storage, &address, sizeof address);
    result.size = sizeof address;
    return result;
}

}  // namespace

Result<SocketAddress> parse_internet_address(std::string_view text) {
    const auto colon = text.rfind(':');
    const auto port = parse_integer(colon == std::string_view::npos ? "" : text.substr(colon + 1), 1, 65'535);
    const std::string host(text.substr(0, colon));
    if (port && host.starts_with('[') && host.ends_with(']')) {
        sockaddr_in6 six{};
        six.sin6_family = AF_INET6;
        six.sin6_port = htons(static_cast<std::uint16_t>(*port));
        if (::inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), &six.sin6_addr) == 1) {
            return stored(six);
        }
    } else if (port) {
        sockaddr_in four{};
        four.sin_family = AF_INET;
        four.sin_port = htons(static_cast<std::uint16_t>(*port));
        if (::inet_pton(AF_INET, host.c_str(), &four.sin_addr) == 1) {
            return stored(four);
        }
    }
    return failure(
        concat("'", text, "' is not ADDRESS:PORT with a numeric address, such as 127.0.0.1:6443 or [::1]:53"));
}

Result<SocketAddress> unix_address(std::string_view path) {
    sockaddr_un where{};
    where.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof where.sun_path) {
        return failure(concat("'", path, "' is not a socket path of 1 to 107 bytes"));
    }
    path.copy(where.sun_path, path.size());
    return stored(where);
}

}  // namespace thole
