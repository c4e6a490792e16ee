// What a socket that is handed to a service listens on: "tcp:0.0.0.0:80", "unix:/run/x.sock".
#pragma once

#include <string>

#include "base/socket_address.hpp"

namespace thole {

struct ListenAddress {
    SocketAddress address;
    int type = SOCK_STREAM;  // or SOCK_DGRAM
    std::string path;        // of a unix socket; empty otherwise
};

/// "tcp:", "udp:", "unix:" or "unix-datagram:" and an address.
Result<ListenAddress> parse_listen_address(std::string_view text);

}  // namespace thole
