#include "link.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "interfaces.hpp"

namespace thole::mesh {

namespace {

/// What WireGuard adds to a packet over IPv6: 40 bytes of IPv6, 8 of UDP, 32 of its own.
constexpr unsigned kOverhead = 80;
constexpr unsigned kUsualMtu = 1420;
constexpr unsigned kLeastMtu = 1280;  // IPv6 asks for it
/// Who made a route: a number that is nobody's in linux/rtnetlink.h.
constexpr std::uint8_t kMeshProtocol = 151;

std::vector<Network> wanted_addresses(const Ranges& ranges, const Address& ipv6, const std::optional<Address>& ipv4) {
    std::vector<Network> wanted{{ipv6, ranges.ipv6.prefix}};
    if (ipv4) {
        wanted.push_back({*ipv4, ranges.ipv4.prefix});
    }
    return wanted;
}

}  // namespace

Result<MeshLink> MeshLink::open(const PrivateKey& key, const DaemonSettings& settings) {
    auto wireguard = WireGuard::open();
    if (!wireguard) {
        return std::unexpected(wireguard.error());
    }
    auto netlink = Netlink::open();
    if (!netlink) {
        return std::unexpected(netlink.error());
    }
    MeshLink link(std::string(kLink), std::move(*wireguard), std::move(*netlink));
    if (auto made = link.netlink_.add_wireguard(link.name_); !made) {
        return std::unexpected(made.error());
    }
    const auto device = link.read();
    if (!device) {
        return std::unexpected(device.error());
    }
    // Setting the same key again would end the sessions that go on.
    if (device->key != key.public_key() || device->port != settings.port) {
        if (auto set = link.wireguard_.set_identity(link.name_, key, settings.port); !set) {
            return std::unexpected(set.error());
        }
    }
    if (auto mtu = link.set_mtu(settings.mtu); !mtu) {
        return std::unexpected(mtu.error());
    }
    if (auto up = link.netlink_.link_up(link.name_); !up) {
        return std::unexpected(up.error());
    }
    return link;
}

Result<std::size_t> MeshLink::set_peers(std::span<const WantedPeer> wanted, const Device& device) {
    const auto changes = peer_changes(wanted, device);
    if (!changes.empty()) {
        if (auto applied = wireguard_.apply(name_, changes); !applied) {
            return std::unexpected(applied.error());
        }
    }
    return changes.size();
}

Result<NetworkChanges> MeshLink::address_differences(const Ranges& ranges, const Address& ipv6,
                                                     const std::optional<Address>& ipv4) {
    const auto all = netlink_.addresses_of(name_);
    if (!all) {
        return std::unexpected(all.error());
    }
    std::vector<Network> actual;
    for (const InterfaceAddress& one : *all) {
        if (one.is_global) {
            actual.push_back(one.network);
        }
    }
    return address_changes(wanted_addresses(ranges, ipv6, ipv4), actual);
}

Status MeshLink::set_addresses(const Ranges& ranges, const Address& ipv6, const std::optional<Address>& ipv4) {
    const auto changes = address_differences(ranges, ipv6, ipv4);
    if (!changes) {
        return std::unexpected(changes.error());
    }
    for (const Network& gone : changes->remove) {
        if (auto removed = netlink_.delete_address(name_, gone); !removed) {
            return removed;
        }
    }
    for (const Network& added : changes->add) {
        if (auto given = netlink_.add_address(name_, added); !given) {
            return given;
        }
    }
    return {};
}

Result<NetworkChanges> MeshLink::route_differences(std::span<const Network> wanted) {
    const auto all = netlink_.routes(name_, kMeshProtocol);
    if (!all) {
        return std::unexpected(all.error());
    }
    std::vector<Network> actual;
    for (const Route& route : *all) {
        actual.push_back(route.destination);
    }
    return route_changes(wanted, actual);
}

Status MeshLink::set_routes(std::span<const Network> wanted) {
    const auto changes = route_differences(wanted);
    if (!changes) {
        return std::unexpected(changes.error());
    }
    const auto index = interface_index(name_);
    if (!index) {
        return std::unexpected(index.error());
    }
    for (const Network& gone : changes->remove) {
        const Route route{.destination = gone, .interface = *index, .protocol = kMeshProtocol, .gateway = {}};
        if (auto removed = netlink_.delete_route(route); !removed) {
            return removed;
        }
    }
    for (const Network& added : changes->add) {
        if (auto given = netlink_.add_route(added, name_, std::nullopt, kMeshProtocol); !given) {
            return given;
        }
    }
    return {};
}

Result<std::vector<Link>> MeshLink::outside_links() {
    auto links = netlink_.links();
    if (!links) {
        return links;
    }
    const auto hardware = hardware_interfaces("/sys");
    std::vector<Link> outside;
    for (const Link& link : *links) {
        // A container's own end of what its engine made has no device.
        const bool engines =
            hardware.empty() && (link.kind == "veth" || link.kind == "macvlan" || link.kind == "ipvlan");
        if (engines || std::ranges::find(hardware, link.name) != hardware.end()) {
            outside.push_back(link);
        }
    }
    return outside;
}

namespace {

/// The last address of an IPv4 network; none where it has no room for one (RFC 3021).
std::optional<Address> broadcast_address(const Network& network) {
    constexpr unsigned kLongestPrefix = 30;
    return network.prefix > 0 && network.prefix <= kLongestPrefix
               ? std::optional(network_address(network, network_size(network) - 1))
               : std::nullopt;
}

}  // namespace

Result<std::vector<OutsideInterface>> MeshLink::outside_interfaces() {
    const auto links = outside_links();
    if (!links) {
        return std::unexpected(links.error());
    }
    const auto addresses = netlink_.addresses();
    if (!addresses) {
        return std::unexpected(addresses.error());
    }
    std::vector<OutsideInterface> found;
    for (const Link& link : *links) {
        OutsideInterface interface;
        interface.index = link.index;
        for (const InterfaceAddress& one : *addresses) {
            const Address& address = one.network.address;
            auto& place = address.family == AF_INET ? interface.ipv4 : interface.ipv6;
            if (one.interface == link.index && one.is_usable && !place) {
                place = address;
                if (address.family == AF_INET) {
                    interface.ipv4_broadcast = broadcast_address(one.network);
                }
            }
        }
        found.push_back(interface);
    }
    return found;
}

Result<unsigned> MeshLink::set_mtu(unsigned wanted) {
    if (wanted == 0) {
        const auto links = outside_links();
        if (!links) {
            return std::unexpected(links.error());
        }
        for (const Link& link : *links) {
            if (link.up && link.mtu > kOverhead && (wanted == 0 || link.mtu - kOverhead < wanted)) {
                wanted = link.mtu - kOverhead;
            }
        }
        wanted = wanted == 0 ? kUsualMtu : std::max(wanted, kLeastMtu);
    }
    const auto link = netlink_.link(name_);
    if (!link) {
        return std::unexpected(link.error());
    }
    if (!*link || (*link)->mtu != wanted) {
        if (auto set = netlink_.set_mtu(name_, wanted); !set) {
            return std::unexpected(set.error());
        }
    }
    return wanted;
}

}  // namespace thole::mesh
