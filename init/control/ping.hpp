// ICMP echo (RFC 792, RFC 4443) to one address.
#pragma once

#include <cstdint>

#include "base/error.hpp"
#include "config/address.hpp"

namespace thole {

struct PingResult {
    Address to;
    unsigned sent = 0;
    unsigned received = 0;
    std::int64_t best_microseconds = 0;
    std::int64_t worst_microseconds = 0;
};

/// Sends an echo request, waits for its answer a second at most, and so on. Needs root. An address that cannot be
/// reached at all is no error: nothing is received.
Result<PingResult> ping(const Address& to, unsigned count);

}  // namespace thole
