// Asks whether a service answers: a connection to a TCP or unix address that is never waited for.
#pragma once

#include <sys/socket.h>

#include <string>
#include <string_view>

#include "base/error.hpp"
#include "os/fd.hpp"

namespace thole {

/// An address that can be connected to.
struct ProbeAddress {
    sockaddr_storage storage{};
    socklen_t size = 0;
};

/// "127.0.0.1:6443", "[::1]:53".
Result<ProbeAddress> parse_tcp_address(std::string_view text);
/// A path of at most 107 bytes.
Result<ProbeAddress> unix_address(std::string_view path);

class Probe {
   public:
    explicit Probe(const ProbeAddress& address) : address_(address) {}

    /// Looks after the connection that is under way, or begins one. True when the peer accepted.
    bool ask();

   private:
    bool connected();

    ProbeAddress address_;
    Fd fd_;
};

}  // namespace thole
