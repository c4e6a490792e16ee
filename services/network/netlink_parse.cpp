#include "netlink_parse.hpp"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

namespace thole {

namespace {

std::string nested_text(NetlinkBytes nest, std::uint16_t type) {
    Attributes attributes(nest);
    while (const auto attribute = attributes.next()) {
        if (attribute->type == type) {
            return std::string(attribute->text());
        }
    }
    return {};
}

bool is_internet(int family) { return family == AF_INET || family == AF_INET6; }

unsigned bits_of(int family) { return family == AF_INET ? 32 : 128; }

}  // namespace

Result<std::optional<Link>> parse_link(const nlmsghdr& message) {
    const auto parts = message_parts<ifinfomsg>(message);
    if (message.nlmsg_type != RTM_NEWLINK || !parts || parts->extra.ifi_index <= 0) {
        return std::nullopt;
    }
    Link link;
    link.index = static_cast<unsigned>(parts->extra.ifi_index);
    link.up = (parts->extra.ifi_flags & IFF_UP) != 0;
    Attributes attributes(parts->attributes);
    while (const auto attribute = attributes.next()) {
        switch (attribute->type) {
            case IFLA_IFNAME: link.name = attribute->text(); break;
            case IFLA_MTU: link.mtu = attribute->number<std::uint32_t>().value_or(0); break;
            case IFLA_LINKINFO: link.kind = nested_text(attribute->value, IFLA_INFO_KIND); break;
            default: break;
        }
    }
    if (auto whole = attributes.finish(); !whole) {
        return std::unexpected(whole.error());
    }
    return link;
}

Result<std::optional<InterfaceAddress>> parse_interface_address(const nlmsghdr& message) {
    const auto parts = message_parts<ifaddrmsg>(message);
    if (message.nlmsg_type != RTM_NEWADDR || !parts || !is_internet(parts->extra.ifa_family) ||
        parts->extra.ifa_prefixlen > bits_of(parts->extra.ifa_family)) {
        return std::nullopt;
    }
    const sa_family_t family = parts->extra.ifa_family;
    std::uint32_t flags = parts->extra.ifa_flags;
    std::optional<Address> local;
    std::optional<Address> other;
    Attributes attributes(parts->attributes);
    while (const auto attribute = attributes.next()) {
        if (attribute->type == IFA_LOCAL) {
            local = attribute->address(family);
        } else if (attribute->type == IFA_ADDRESS) {
            other = attribute->address(family);
        } else if (attribute->type == IFA_FLAGS) {
            flags = attribute->number<std::uint32_t>().value_or(flags);
        }
    }
    if (auto whole = attributes.finish(); !whole) {
        return std::unexpected(whole.error());
    }
    // IFA_LOCAL is the interface's own where both are there (point-to-point).
    const auto& own = local ? local : other;
    if (!own) {
        return std::nullopt;
    }
    return InterfaceAddress{.interface = parts->extra.ifa_index,
                            .network = {*own, parts->extra.ifa_prefixlen},
                            .is_global = parts->extra.ifa_scope == RT_SCOPE_UNIVERSE,
                            .is_usable = (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED | IFA_F_DEPRECATED)) == 0};
}

Result<std::optional<Route>> parse_route(const nlmsghdr& message) {
    const auto parts = message_parts<rtmsg>(message);
    if (message.nlmsg_type != RTM_NEWROUTE || !parts || !is_internet(parts->extra.rtm_family) ||
        parts->extra.rtm_dst_len > bits_of(parts->extra.rtm_family)) {
        return std::nullopt;
    }
    const sa_family_t family = parts->extra.rtm_family;
    Route route;
    route.destination = {{family, {}}, parts->extra.rtm_dst_len};
    route.protocol = parts->extra.rtm_protocol;
    route.type = parts->extra.rtm_type;
    std::uint32_t table = parts->extra.rtm_table;
    Attributes attributes(parts->attributes);
    while (const auto attribute = attributes.next()) {
        switch (attribute->type) {
            case RTA_DST: route.destination.address = attribute->address(family).value_or(Address{family, {}}); break;
            case RTA_GATEWAY: route.gateway = attribute->address(family); break;
            case RTA_OIF: route.interface = attribute->number<std::uint32_t>().value_or(0); break;
            case RTA_PRIORITY: route.metric = attribute->number<std::uint32_t>().value_or(0); break;
            case RTA_TABLE: table = attribute->number<std::uint32_t>().value_or(table); break;
            default: break;
        }
    }
    if (auto whole = attributes.finish(); !whole) {
        return std::unexpected(whole.error());
    }
    const bool cached = (parts->extra.rtm_flags & RTM_F_CLONED) != 0;
    if (table != RT_TABLE_MAIN || cached || route.type == RTN_MULTICAST) {
        return std::nullopt;
    }
    return route;
}

void note_changes(NetlinkBytes datagram, NetworkEvents::Changes& changes) {
    while (!datagram.empty()) {
        const nlmsghdr* message = take_message(datagram);
        if (message == nullptr) {
            changes = {.links = true, .addresses = true};
            return;
        }
        const auto type = message->nlmsg_type;
        changes.links = changes.links || type == RTM_NEWLINK || type == RTM_DELLINK;
        changes.addresses = changes.addresses || type == RTM_NEWADDR || type == RTM_DELADDR;
    }
}

}  // namespace thole
