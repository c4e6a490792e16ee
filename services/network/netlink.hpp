// Interfaces, addresses and routes, by libmnl.
#pragma once

#include <net/if.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "config/address.hpp"

struct mnl_socket;
struct nlmsghdr;  // NOLINT(readability-identifier-naming): the kernel's

namespace thole {

/// An address that an interface has.
struct InterfaceAddress {
    unsigned interface = 0;  // index
    Network network;
};

class Netlink {
   public:
    static Result<Netlink> open();

    Status link_up(const std::string& interface);

    /// Makes an interface that goes nowhere. One of that name that is there already is used as it is.
    Status add_dummy(const std::string& name);

    /// An address that is there already is no error.
    Status add_address(const std::string& interface, const Network& address);

    /// A route to `destination` (prefix length 0: the default route) through `gateway`, or straight out of the
    /// interface where there is none. Replaces a route to the same destination.
    Status add_route(const Network& destination, const std::string& interface, const std::optional<Address>& gateway);

    /// Addresses of global scope on all interfaces.
    Result<std::vector<InterfaceAddress>> addresses();

   private:
    struct Close {
        void operator()(mnl_socket* socket) const;
    };

    explicit Netlink(mnl_socket* socket) : socket_(socket) {}

    Status transact(nlmsghdr* message, std::string_view tried, std::string_view on, int ignored);

    std::unique_ptr<mnl_socket, Close> socket_;
    std::uint32_t sequence_ = 0;
};

}  // namespace thole
