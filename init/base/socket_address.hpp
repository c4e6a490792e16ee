// Addresses of sockets as people write them: "127.0.0.1:6443", "[::1]:53", "/run/x.sock".
#pragma once

#include <sys/socket.h>

#include <string_view>

#include "base/error.hpp"

namespace thole {

/// An address for connect(2) and bind(2).
struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t size = 0;

    [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

/// A numeric address and a port from 1 to 65535.
Result<SocketAddress> parse_internet_address(std::string_view text);

/// A path of at most 107 bytes (unix(7)).
Result<SocketAddress> unix_address(std::string_view path);

}  // namespace thole
