// The daemon's two UDP sockets: greetings outside the tunnel, the mesh's messages inside.
#pragma once

#include <netinet/in.h>

#include <optional>
#include <string>
#include <vector>

#include "os/fd.hpp"
#include "wire.hpp"

namespace thole::mesh {

/// An interface with a device behind it and what greetings need of it.
struct OutsideInterface {
    unsigned index = 0;
    std::optional<Address> ipv4;
    std::optional<Address> ipv4_broadcast;  // of its own network, such as 10.1.255.255
    std::optional<Address> ipv6;            // of global scope
};

/// A datagram, and where it came from.
struct Received {
    Endpoint from;
    Bytes content;
};

/// IPv4 and IPv6 in one socket, for all interfaces.
class OutsideSocket {
   public:
    static Result<OutsideSocket> open(std::uint16_t port);

    /// Joins the discovery group on interfaces that are new.
    void use_interfaces(std::vector<OutsideInterface> interfaces);

    /// Sends; to a broadcast or multicast address by every interface that has an address of its kind. What the network
    /// does not take is lost, as any datagram may be.
    void send(const Endpoint& to, Bytes content);

    /// A waiting datagram, in `room`; larger ones are cut. Nothing: there is none. Own ones are left out.
    std::optional<Received> receive(std::span<std::uint8_t> room);

    [[nodiscard]] int fd() const { return socket_.get(); }

   private:
    explicit OutsideSocket(Fd socket) : socket_(std::move(socket)) {}
    void send_from(const OutsideInterface& interface, const Address& source, const Endpoint& to, Bytes content);
    [[nodiscard]] bool is_own(const Address& address) const;

    Fd socket_;
    std::vector<OutsideInterface> interfaces_;
    bool to_networks_ = false;  // the last greeting by broadcast went to the interfaces' own networks
};

/// Bound to the link: what comes in has passed WireGuard, so its source address says whose key it was.
class InsideSocket {
   public:
    static Result<InsideSocket> open(const std::string& link, const Address& own, std::uint16_t port);

    void send(const Address& to, Bytes content);
    std::optional<Received> receive(std::span<std::uint8_t> room);

    [[nodiscard]] int fd() const { return socket_.get(); }

   private:
    InsideSocket(Fd socket, std::uint16_t port) : socket_(std::move(socket)), port_(port) {}

    Fd socket_;
    std::uint16_t port_;
};

}  // namespace thole::mesh
