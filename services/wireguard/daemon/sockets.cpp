#include "sockets.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/text.hpp"
#include "settings.hpp"

namespace thole::mesh {

namespace {

constexpr std::size_t kMappedPrefix = 12;

/// An IPv4 address in an IPv6 socket is ::ffff:ADDRESS (RFC 4291, 2.5.5.2).
sockaddr_in6 socket_address(const Endpoint& endpoint) {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(endpoint.port);
    auto* bytes = address.sin6_addr.s6_addr;
    if (endpoint.address.family == AF_INET) {
        bytes[10] = bytes[11] = 0xFF;
        std::copy_n(endpoint.address.bytes.begin(), 4, bytes + kMappedPrefix);
    } else {
        std::copy_n(endpoint.address.bytes.begin(), 16, bytes);
    }
    return address;
}

Endpoint endpoint_of(const sockaddr_in6& address) {
    Endpoint endpoint;
    endpoint.port = ntohs(address.sin6_port);
    const auto* bytes = address.sin6_addr.s6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&address.sin6_addr)) {
        endpoint.address.family = AF_INET;
        std::copy_n(bytes + kMappedPrefix, 4, endpoint.address.bytes.begin());
    } else {
        endpoint.address.family = AF_INET6;
        std::copy_n(bytes, 16, endpoint.address.bytes.begin());
    }
    return endpoint;
}

void send_plain(int socket, const Endpoint& to, Bytes content) {
    const sockaddr_in6 address = socket_address(to);
    (void)::sendto(socket, content.data(), content.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                   reinterpret_cast<const sockaddr*>(&address), sizeof(address));
}

std::optional<Received> receive_from(int socket, std::span<std::uint8_t> room) {
    sockaddr_in6 address{};
    socklen_t size = sizeof(address);
    const ssize_t count = ::recvfrom(socket, room.data(), room.size(), MSG_DONTWAIT | MSG_TRUNC,
                                     reinterpret_cast<sockaddr*>(&address), &size);
    if (count < 0) {
        return std::nullopt;
    }
    // One that was cut is of no size that is known.
    const auto whole = static_cast<std::size_t>(count);
    return Received{endpoint_of(address), whole <= room.size() ? Bytes(room).first(whole) : Bytes()};
}

Result<Fd> open_udp(std::string_view what) {
    Fd socket(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    return socket ? Result<Fd>(std::move(socket)) : system_error("open a UDP socket for", what);
}

Status set_option(const Fd& socket, int level, int name, int value, std::string_view what) {
    return ::setsockopt(socket.get(), level, name, &value, sizeof(value)) == 0
               ? Status()
               : Status(system_error("set an option of the socket for", what));
}

Status bind_to(const Fd& socket, const Endpoint& own, std::string_view what) {
    const sockaddr_in6 address = socket_address(own);
    return ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0
               ? Status()
               : Status(system_error(concat("listen on UDP port ", own.port, " for"), what));
}

bool is_group(const Address& address) {
    return address.family == AF_INET6 ? address.bytes[0] == 0xFF
                                      : std::all_of(address.bytes.begin(), address.bytes.begin() + 4,
                                                    [](unsigned char byte) { return byte == 0xFF; });
}

}  // namespace

Result<OutsideSocket> OutsideSocket::open(std::uint16_t port) {
    constexpr std::string_view kWhat = "greetings of other nodes";
    auto socket = open_udp(kWhat);
    if (!socket) {
        return std::unexpected(socket.error());
    }
    for (const auto& done : {set_option(*socket, IPPROTO_IPV6, IPV6_V6ONLY, 0, kWhat),
                             set_option(*socket, SOL_SOCKET, SO_BROADCAST, 1, kWhat),
                             set_option(*socket, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0, kWhat),
                             bind_to(*socket, {{AF_INET6, {}}, port}, kWhat)}) {
        if (!done) {
            return std::unexpected(done.error());
        }
    }
    return OutsideSocket(std::move(*socket));
}

void OutsideSocket::use_interfaces(std::vector<OutsideInterface> interfaces) {
    for (const OutsideInterface& interface : interfaces) {
        ipv6_mreq membership{};
        const Endpoint group = discovery_places(0).back();
        std::copy_n(group.address.bytes.begin(), 16, membership.ipv6mr_multiaddr.s6_addr);
        membership.ipv6mr_interface = interface.index;
        // A member already, or an interface without IPv6: greetings by broadcast remain.
        (void)::setsockopt(socket_.get(), IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &membership, sizeof(membership));
    }
    interfaces_ = std::move(interfaces);
}

void OutsideSocket::send(const Endpoint& to, Bytes content) {
    if (!is_group(to.address)) {
        send_plain(socket_.get(), to, content);
        return;
    }
    // Between containers of one bridge a broadcast to 255.255.255.255 may come from the host: what masks their way out
    // takes that address for one outside, and leaves alone that of their network. Nodes of several networks on one
    // segment need the other. A copy would count as a replay, so they take turns.
    const bool by_ipv4 = to.address.family == AF_INET;
    to_networks_ = to_networks_ != by_ipv4;
    for (const OutsideInterface& interface : interfaces_) {
        const auto& source = by_ipv4 ? interface.ipv4 : interface.ipv6;
        const bool by_network = by_ipv4 && to_networks_ && interface.ipv4_broadcast;
        if (source) {
            send_from(interface, *source, by_network ? Endpoint{*interface.ipv4_broadcast, to.port} : to, content);
        }
    }
}

/// Through one interface and from one of its addresses (ipv6(7): IPV6_PKTINFO; Linux takes it for IPv4 as well).
void OutsideSocket::send_from(const OutsideInterface& interface, const Address& source, const Endpoint& to,
                              Bytes content) {
    sockaddr_in6 address = socket_address(to);
    iovec part{const_cast<std::uint8_t*>(content.data()), content.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(in6_pktinfo))> control{};
    msghdr message{};
    message.msg_name = &address;
    message.msg_namelen = sizeof(address);
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = IPPROTO_IPV6;
    header->cmsg_type = IPV6_PKTINFO;
    header->cmsg_len = CMSG_LEN(sizeof(in6_pktinfo));
    in6_pktinfo information{};
    information.ipi6_addr = socket_address({source, 0}).sin6_addr;
    information.ipi6_ifindex = interface.index;
    std::memcpy(CMSG_DATA(header), &information, sizeof(information));
    (void)::sendmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

bool OutsideSocket::is_own(const Address& address) const {
    return std::ranges::any_of(interfaces_, [&](const OutsideInterface& interface) {
        return interface.ipv4 == address || interface.ipv6 == address;
    });
}

std::optional<Received> OutsideSocket::receive(std::span<std::uint8_t> room) {
    while (auto received = receive_from(socket_.get(), room)) {
        if (!is_own(received->from.address)) {
            return received;
        }
    }
    return std::nullopt;
}

Result<InsideSocket> InsideSocket::open(const std::string& link, const Address& own, std::uint16_t port) {
    constexpr std::string_view kWhat = "messages inside the mesh";
    auto socket = open_udp(kWhat);
    if (!socket) {
        return std::unexpected(socket.error());
    }
    if (::setsockopt(socket->get(), SOL_SOCKET, SO_BINDTODEVICE, link.c_str(), static_cast<socklen_t>(link.size())) !=
        0) {
        return system_error("bind a socket to the link", link);
    }
    if (auto bound = bind_to(*socket, {own, port}, kWhat); !bound) {
        return std::unexpected(bound.error());
    }
    return InsideSocket(std::move(*socket), port);
}

void InsideSocket::send(const Address& to, Bytes content) { send_plain(socket_.get(), {to, port_}, content); }

std::optional<Received> InsideSocket::receive(std::span<std::uint8_t> room) {
    return receive_from(socket_.get(), room);
}

}  // namespace thole::mesh
