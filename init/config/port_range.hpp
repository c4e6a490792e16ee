// Ports as node.ini's firewall section writes them: tcp/6443, udp/30000-32767.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace thole {

struct PortRange {
    bool tcp = true;  // else UDP
    std::uint16_t first = 0;
    std::uint16_t last = 0;
};

/// The error names what was probably meant.
Result<PortRange> parse_port_range(std::string_view text);

/// "tcp/6443", "udp/30000-32767".
std::string port_range_text(const PortRange& range);

}  // namespace thole
