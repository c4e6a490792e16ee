// Netlink's questions: links, addresses, routes, and the subscription to their changes.
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/text.hpp"
#include "interfaces.hpp"
#include "netlink.hpp"
#include "netlink_parse.hpp"

namespace thole {

namespace {

/// Adds what a message says to a list.
template <typename Item>
Status collect(std::vector<Item>& found, Result<std::optional<Item>> item) {
    if (!item) {
        return std::unexpected(item.error());
    }
    if (*item) {
        found.push_back(std::move(**item));
    }
    return {};
}

/// Without its counters, which nobody here reads.
void leave_out_statistics(NetlinkRequest& request) {
    mnl_attr_put_u32(request.message(), IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
}

}  // namespace

Result<std::optional<Link>> Netlink::read_link(NetlinkRequest& request, std::string_view on) {
    leave_out_statistics(request);
    std::vector<Link> found;
    const auto done = socket_.request(
        request.message(), [&found](const nlmsghdr& message) { return collect(found, parse_link(message)); },
        "read the interface", on);
    if (!done && done.error().code == ENODEV) {
        return std::nullopt;
    }
    if (!done) {
        return std::unexpected(done.error());
    }
    return found.empty() ? std::nullopt : std::optional(std::move(found.front()));
}

Result<std::optional<Link>> Netlink::link(const std::string& name) {
    NetlinkRequest request(RTM_GETLINK, 0);
    request.add_extra<ifinfomsg>()->ifi_family = AF_UNSPEC;
    request.put_name(IFLA_IFNAME, name);
    return read_link(request, name);
}

Result<std::optional<Link>> Netlink::link(unsigned index) {
    NetlinkRequest request(RTM_GETLINK, 0);
    request.add_extra<ifinfomsg>()->ifi_index = static_cast<int>(index);
    return read_link(request, concat("number ", index));
}

Result<std::vector<Link>> Netlink::links() {
    return read_settled([this]() -> Result<std::vector<Link>> {
        NetlinkRequest request(RTM_GETLINK, NLM_F_DUMP);
        request.add_extra<ifinfomsg>()->ifi_family = AF_UNSPEC;
        leave_out_statistics(request);
        std::vector<Link> found;
        const auto done = socket_.request(
            request.message(), [&found](const nlmsghdr& message) { return collect(found, parse_link(message)); },
            "list", "the interfaces");
        if (!done) {
            return std::unexpected(done.error());
        }
        return found;
    });
}

Result<std::vector<InterfaceAddress>> Netlink::all_addresses() {
    return read_settled([this]() -> Result<std::vector<InterfaceAddress>> {
        NetlinkRequest request(RTM_GETADDR, NLM_F_DUMP);
        request.add_extra<ifaddrmsg>()->ifa_family = AF_UNSPEC;
        std::vector<InterfaceAddress> found;
        const auto done = socket_.request(
            request.message(),
            [&found](const nlmsghdr& message) { return collect(found, parse_interface_address(message)); },
            "read the addresses of", "the interfaces");
        if (!done) {
            return std::unexpected(done.error());
        }
        return found;
    });
}

Result<std::vector<InterfaceAddress>> Netlink::addresses() {
    auto all = all_addresses();
    if (all) {
        std::erase_if(*all, [](const InterfaceAddress& address) { return !address.is_global; });
    }
    return all;
}

Result<std::vector<InterfaceAddress>> Netlink::addresses_of(const std::string& interface) {
    const auto index = interface_index(interface);
    if (!index) {
        return std::unexpected(index.error());
    }
    auto all = all_addresses();
    if (all) {
        std::erase_if(*all, [&index](const InterfaceAddress& address) { return address.interface != *index; });
    }
    return all;
}

Result<std::vector<Address>> Netlink::outside_addresses(const std::string& sys) {
    std::vector<unsigned> hardware;
    for (const std::string& name : hardware_interfaces(sys)) {
        hardware.push_back(::if_nametoindex(name.c_str()));
    }
    const auto all = addresses();
    if (!all) {
        return std::unexpected(all.error());
    }
    std::vector<Address> outside;
    for (const InterfaceAddress& address : *all) {
        if (address.is_usable && std::ranges::find(hardware, address.interface) != hardware.end()) {
            outside.push_back(address.network.address);
        }
    }
    return outside;
}

Result<std::vector<Route>> Netlink::routes(const std::string& interface, std::uint8_t protocol) {
    const auto index = interface_index(interface);
    if (!index) {
        return std::unexpected(index.error());
    }
    auto all = read_settled([this]() -> Result<std::vector<Route>> {
        NetlinkRequest request(RTM_GETROUTE, NLM_F_DUMP);
        request.add_extra<rtmsg>()->rtm_family = AF_UNSPEC;
        std::vector<Route> found;
        const auto done = socket_.request(
            request.message(), [&found](const nlmsghdr& message) { return collect(found, parse_route(message)); },
            "list", "the routes");
        if (!done) {
            return std::unexpected(done.error());
        }
        return found;
    });
    if (all) {
        std::erase_if(*all,
                      [&](const Route& route) { return route.interface != *index || route.protocol != protocol; });
    }
    return all;
}

Result<NetworkEvents> NetworkEvents::open() {
    auto socket = open_netlink(NETLINK_ROUTE, RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR);
    if (!socket) {
        return std::unexpected(socket.error());
    }
    return NetworkEvents(std::move(*socket));
}

// NOLINTNEXTLINE(readability-make-member-function-const): what was told once is not told again
Result<NetworkEvents::Changes> NetworkEvents::drain() {
    constexpr int kMost = 1000;  // what is left is there at the next call
    constexpr Changes kAll{.links = true, .addresses = true};
    alignas(NLMSG_ALIGNTO) std::array<char, 8192> room;
    Changes changes;
    for (int count = 0; count < kMost; ++count) {
        const auto datagram = receive_netlink(fd(), room, MSG_DONTWAIT);
        if (!datagram && datagram.error().code == EAGAIN) {
            break;
        }
        if (!datagram && datagram.error().code != ENOBUFS) {
            return system_error("read", "the changes of the network", datagram.error().code);
        }
        if (!datagram || (datagram->from_kernel && !datagram->whole)) {
            changes = kAll;
        } else if (datagram->from_kernel) {
            note_changes(datagram->content, changes);
        }
    }
    return changes;
}

}  // namespace thole
