// Interfaces, addresses and routes, by libmnl.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "config/address.hpp"
#include "netlink_socket.hpp"

namespace thole {

/// An address that an interface has.
struct InterfaceAddress {
    unsigned interface = 0;  // index
    Network network;
    bool is_global = true;  // false: of the link or the host alone
    bool is_usable = true;  // false: nobody should begin to use it (an IPv6 address that is tentative or deprecated)
};

struct Link {
    unsigned index = 0;
    std::string name;
    std::string kind;  // "wireguard", "veth", ...; empty for hardware
    unsigned mtu = 0;
    bool up = false;  // as configured, not whether there is a carrier
};

/// A route of the main table.
struct Route {
    Network destination;        // prefix length 0: the default route
    unsigned interface = 0;     // index; 0 where it is no plain route out of one interface
    std::uint8_t protocol = 0;  // who made it: RTPROT_STATIC or a number of one's own
    std::uint8_t type = 0;      // RTN_UNICAST, ...
    std::uint32_t metric = 0;
    std::optional<Address> gateway;
};

/// What made a route of `add_route`, unless said otherwise (RTPROT_STATIC of linux/rtnetlink.h).
inline constexpr std::uint8_t kStaticProtocol = 4;

/// The index of an interface; ENODEV where there is none of that name.
Result<unsigned> interface_index(const std::string& interface);

class Netlink {
   public:
    static Result<Netlink> open();

    Status link_up(const std::string& interface);

    /// Makes an interface that goes nowhere. One of that name that is there already is used as it is.
    Status add_dummy(const std::string& name);

    /// Makes a WireGuard link. One that is there already stays as it is; an interface of that name and of another kind
    /// is an error.
    Status add_wireguard(const std::string& name);

    /// An interface that is not there is no error.
    Status delete_link(const std::string& name);

    Status set_mtu(const std::string& interface, unsigned mtu);

    /// Nothing where there is none of that name.
    Result<std::optional<Link>> link(const std::string& name);
    Result<std::optional<Link>> link(unsigned index);
    Result<std::vector<Link>> links();

    /// An address that is there already is no error.
    Status add_address(const std::string& interface, const Network& address);

    /// An address that is not there is no error.
    Status delete_address(const std::string& interface, const Network& address);

    /// A route to `destination` (prefix length 0: the default route) through `gateway`, or straight out of the
    /// interface where there is none. Replaces a route to the same destination.
    Status add_route(const Network& destination, const std::string& interface, const std::optional<Address>& gateway,
                     std::uint8_t protocol = kStaticProtocol);

    /// A route that is not there is no error.
    Status delete_route(const Route& route);

    /// The routes out of an interface that `protocol` made.
    Result<std::vector<Route>> routes(const std::string& interface, std::uint8_t protocol);

    /// Addresses of global scope on all interfaces.
    Result<std::vector<InterfaceAddress>> addresses();

    /// All addresses of an interface.
    Result<std::vector<InterfaceAddress>> addresses_of(const std::string& interface);

    /// Addresses of global scope of interfaces with a device behind them: where other machines may reach this one.
    Result<std::vector<Address>> outside_addresses(const std::string& sys);

   private:
    explicit Netlink(NetlinkSocket socket) : socket_(std::move(socket)) {}

    Result<std::optional<Link>> read_link(NetlinkRequest& request, std::string_view on);
    Result<std::vector<InterfaceAddress>> all_addresses();

    NetlinkSocket socket_;
};

/// Tells that links or addresses have changed.
class NetworkEvents {
   public:
    static Result<NetworkEvents> open();

    /// To poll for reading.
    [[nodiscard]] int fd() const { return mnl_socket_get_fd(socket_.get()); }

    /// What was told since the last call. Where the kernel had to drop some of it, all count as changed.
    struct Changes {
        bool links = false;
        bool addresses = false;
    };
    Result<Changes> drain();

   private:
    explicit NetworkEvents(NetlinkHandle socket) : socket_(std::move(socket)) {}

    NetlinkHandle socket_;
};

}  // namespace thole
