// Sockets of both ends: TCP connections with deadlines, names of the mesh's nodes, and random numbers.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/socket_address.hpp"
#include "config/address.hpp"
#include "crypto.hpp"
#include "os/clock.hpp"
#include "os/fd.hpp"

namespace thole::remote {

inline constexpr std::uint16_t kPort = 51874;
inline constexpr std::string_view kMeshDevice = "wg0";

/// 32 bytes of getrandom(2).
Result<mesh::Block> random_block();

/// An address and port for connect(2) and bind(2).
SocketAddress socket_address(const Address& address, std::uint16_t port);

/// The other way, for what accept(2) and getsockname(2) say; an IPv4 address that comes as IPv6 (RFC 4291, 2.5.5.2) is
/// IPv4.
Address address_of(const SocketAddress& socket);

/// Connects by `deadline`, from `device` alone where that is not empty. The socket never waits.
Result<Fd> connect_to(const SocketAddress& address, std::string_view device, Instant deadline);

/// A peer that has gone without a word is found out in two minutes.
void keep_alive(int socket);

/// Sends all of it by `deadline`.
Status send_all(int socket, std::string_view bytes, Instant deadline);

/// Reads exactly `room.size()` bytes by `deadline`. `who` is for the error.
Status receive_all(int socket, std::span<std::uint8_t> room, Instant deadline, std::string_view who);

/// The address in `range` that a hosts(5) text has for the name.
Result<Address> find_node(std::string_view hosts, std::string_view name, const Network& range);

}  // namespace thole::remote
