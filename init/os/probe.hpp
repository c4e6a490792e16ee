// Asks whether a service answers: a connection to a TCP or unix address that is never waited for.
#pragma once

#include "base/socket_address.hpp"
#include "os/fd.hpp"

namespace thole {

class Probe {
   public:
    explicit Probe(const SocketAddress& address) : address_(address) {}

    /// Looks after the connection that is under way, or begins one. True when the peer accepted.
    bool ask();

   private:
    bool connected();

    SocketAddress address_;
    Fd fd_;
};

}  // namespace thole
