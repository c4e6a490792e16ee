// IPv4 and IPv6 addresses and ranges, as node.ini writes them.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace thole {

struct Address {
    sa_family_t family = AF_INET;
    std::array<unsigned char, 16> bytes{};  // network order; an IPv4 address takes the first four

    [[nodiscard]] std::size_t size() const { return family == AF_INET ? 4 : 16; }
    friend bool operator==(const Address&, const Address&) = default;
};

/// An address with the length of its network's prefix; the bits behind the prefix are kept.
struct Network {
    Address address;
    unsigned prefix = 0;
};

Result<Address> parse_address(std::string_view text);

/// "ADDRESS/PREFIX".
Result<Network> parse_network(std::string_view text);

/// The canonical form (RFC 5952 for IPv6).
std::string address_text(const Address& address);
std::string network_text(const Network& network);

/// The same network with all bits behind the prefix zero.
Network network_base(const Network& network);

bool network_contains(const Network& network, const Address& address);
bool networks_overlap(const Network& left, const Network& right);

/// The address `offset` places after the first one of the network (host bits of `network` are ignored).
Address network_address(const Network& network, unsigned offset);

/// How many places `address` lies behind the first one of an IPv4 network that contains it.
std::uint32_t network_offset(const Network& network, const Address& address);

/// The number of addresses of an IPv4 network; the prefix length is not 0.
std::uint32_t network_size(const Network& network);

/// Why no machine can have this address on an interface ("it is a loopback address"), or empty.
std::string_view unusable_reason(const Address& address);

}  // namespace thole
