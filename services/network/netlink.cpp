#include "netlink.hpp"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <cerrno>

#include "base/text.hpp"

namespace thole {

namespace {

static_assert(kStaticProtocol == RTPROT_STATIC);

/// "10.0.0.0/8", or "everywhere" for the default route.
std::string destination_text(const Network& destination) {
    return destination.prefix > 0 ? network_text(destination) : "everywhere";
}

Status make_link(NetlinkSocket& socket, const std::string& name, const char* kind, int ignored) {
    NetlinkRequest request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
    request.add_extra<ifinfomsg>()->ifi_family = AF_UNSPEC;
    nlmsghdr* message = request.message();
    request.put_name(IFLA_IFNAME, name);
    nlattr* information = mnl_attr_nest_start(message, IFLA_LINKINFO);
    mnl_attr_put_strz(message, IFLA_INFO_KIND, kind);
    mnl_attr_nest_end(message, information);
    return socket.request(message, "make the interface", name, ignored);
}

}  // namespace

Result<unsigned> interface_index(const std::string& interface) {
    const unsigned index = ::if_nametoindex(interface.c_str());
    if (index == 0) {
        return system_error("find the interface", interface);
    }
    return index;
}

Result<Netlink> Netlink::open() {
    auto socket = NetlinkSocket::open(NETLINK_ROUTE);
    if (!socket) {
        return std::unexpected(socket.error());
    }
    return Netlink(std::move(*socket));
}

Status Netlink::link_up(const std::string& interface) {
    const auto index = interface_index(interface);
    if (!index) {
        return std::unexpected(index.error());
    }
    NetlinkRequest request(RTM_NEWLINK, 0);
    auto* link = request.add_extra<ifinfomsg>();
    link->ifi_family = AF_UNSPEC;
    link->ifi_index = static_cast<int>(*index);
    link->ifi_flags = IFF_UP;
    link->ifi_change = IFF_UP;
    return socket_.request(request.message(), "bring up the interface", interface);
}

Status Netlink::add_dummy(const std::string& name) { return make_link(socket_, name, "dummy", EEXIST); }

Status Netlink::add_wireguard(const std::string& name) {
    if (auto made = make_link(socket_, name, "wireguard", 0); made || made.error().code != EEXIST) {
        return made;
    }
    const auto there = link(name);
    if (!there) {
        return std::unexpected(there.error());
    }
    if (*there && (*there)->kind != "wireguard") {
        return failure(concat("cannot make the WireGuard link ", name, ": there is an interface of that name",
                              (*there)->kind.empty() ? std::string() : concat(", of the kind ", (*there)->kind)));
    }
    return {};
}

Status Netlink::delete_link(const std::string& name) {
    NetlinkRequest request(RTM_DELLINK, 0);
    request.add_extra<ifinfomsg>()->ifi_family = AF_UNSPEC;
    request.put_name(IFLA_IFNAME, name);
    return socket_.request(request.message(), "delete the interface", name, ENODEV);
}

Status Netlink::set_mtu(const std::string& interface, unsigned mtu) {
    const auto index = interface_index(interface);
    if (!index) {
        return std::unexpected(index.error());
    }
    NetlinkRequest request(RTM_NEWLINK, 0);
    request.add_extra<ifinfomsg>()->ifi_index = static_cast<int>(*index);
    mnl_attr_put_u32(request.message(), IFLA_MTU, mtu);
    return socket_.request(request.message(), concat("set an MTU of ", mtu, " on"), interface);
}

Status Netlink::add_address(const std::string& interface, const Network& address) {
    const auto index = interface_index(interface);
    if (!index) {
        return std::unexpected(index.error());
    }
    NetlinkRequest request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
    auto* entry = request.add_extra<ifaddrmsg>();
    entry->ifa_family = static_cast<std::uint8_t>(address.address.family);
    entry->ifa_prefixlen = static_cast<std::uint8_t>(address.prefix);
    entry->ifa_scope = RT_SCOPE_UNIVERSE;
    entry->ifa_index = *index;
    request.put_address(IFA_LOCAL, address.address);
    request.put_address(IFA_ADDRESS, address.address);
    if (address.address.family == AF_INET && address.prefix < 31) {
        Address broadcast = address.address;
        for (unsigned bit = address.prefix; bit < 32; ++bit) {
            broadcast.bytes[bit / 8] |= static_cast<unsigned char>(0x80U >> (bit % 8));
        }
        request.put_address(IFA_BROADCAST, broadcast);
    } else if (address.address.family == AF_INET6) {
        entry->ifa_flags =
            IFA_F_NODAD;  // the person who wrote it down knows that it is free, and services bind to it at once
    }
    return socket_.request(request.message(), concat("give ", interface, " the address"), network_text(address),
                           EEXIST);
}

Status Netlink::delete_address(const std::string& interface, const Network& address) {
    const auto index = interface_index(interface);
    if (!index) {
        return std::unexpected(index.error());
    }
    NetlinkRequest request(RTM_DELADDR, 0);
    auto* entry = request.add_extra<ifaddrmsg>();
    entry->ifa_family = static_cast<std::uint8_t>(address.address.family);
    entry->ifa_prefixlen = static_cast<std::uint8_t>(address.prefix);
    entry->ifa_index = *index;
    request.put_address(IFA_LOCAL, address.address);
    request.put_address(IFA_ADDRESS, address.address);
    return socket_.request(request.message(), concat("take from ", interface, " the address"), network_text(address),
                           EADDRNOTAVAIL);
}

Status Netlink::add_route(const Network& destination, const std::string& interface,
                          const std::optional<Address>& gateway, std::uint8_t protocol) {
    const auto index = interface_index(interface);
    if (!index) {
        return std::unexpected(index.error());
    }
    NetlinkRequest request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);
    auto* route = request.add_extra<rtmsg>();
    route->rtm_family = static_cast<std::uint8_t>(destination.address.family);
    route->rtm_dst_len = static_cast<std::uint8_t>(destination.prefix);
    route->rtm_table = RT_TABLE_MAIN;
    route->rtm_protocol = protocol;
    route->rtm_scope = gateway || destination.address.family == AF_INET6 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
    route->rtm_type = RTN_UNICAST;
    if (destination.prefix > 0) {
        request.put_address(RTA_DST, network_base(destination).address);
    }
    if (gateway) {
        request.put_address(RTA_GATEWAY, *gateway);
    }
    mnl_attr_put_u32(request.message(), RTA_OIF, *index);
    return socket_.request(request.message(), "add a route to", destination_text(destination));
}

Status Netlink::delete_route(const Route& route) {
    NetlinkRequest request(RTM_DELROUTE, 0);
    auto* entry = request.add_extra<rtmsg>();
    entry->rtm_family = static_cast<std::uint8_t>(route.destination.address.family);
    entry->rtm_dst_len = static_cast<std::uint8_t>(route.destination.prefix);
    entry->rtm_table = RT_TABLE_MAIN;
    entry->rtm_protocol = route.protocol;
    entry->rtm_type = route.type;
    entry->rtm_scope = RT_SCOPE_NOWHERE;  // of whatever scope it is
    if (route.destination.prefix > 0) {
        request.put_address(RTA_DST, route.destination.address);
    }
    if (route.gateway) {
        request.put_address(RTA_GATEWAY, *route.gateway);
    }
    if (route.interface != 0) {
        mnl_attr_put_u32(request.message(), RTA_OIF, route.interface);
    }
    if (route.metric != 0) {
        mnl_attr_put_u32(request.message(), RTA_PRIORITY, route.metric);
    }
    return socket_.request(request.message(), "delete the route to", destination_text(route.destination), ESRCH);
}

}  // namespace thole
