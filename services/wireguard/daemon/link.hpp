// The daemon's hold on the kernel: the link wg0, its peers and addresses, and the interfaces that lead outside.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "netlink.hpp"
#include "reconcile.hpp"
#include "settings.hpp"
#include "sockets.hpp"

namespace thole::mesh {

class MeshLink {
   public:
    /// Makes the link where it is not there yet, with the node's key and its IPv6 address. Tunnels of a link that is
    /// there go on.
    static Result<MeshLink> open(const PrivateKey& key, const DaemonSettings& settings);

    Result<Device> read() { return wireguard_.read(name_); }

    /// Changes what differs from `device`. Returns how many peers it changed.
    Result<std::size_t> set_peers(std::span<const WantedPeer> wanted, const Device& device);

    /// The link's addresses; those that are not wanted go.
    Status set_addresses(const Ranges& ranges, const Address& ipv6, const std::optional<Address>& ipv4);

    /// What set_addresses() would change.
    Result<NetworkChanges> address_differences(const Ranges& ranges, const Address& ipv6,
                                               const std::optional<Address>& ipv4);

    /// Routes to networks behind other nodes; those that are not wanted go, and no others than the mesh's own.
    Status set_routes(std::span<const Network> wanted);

    /// What set_routes() would change.
    Result<NetworkChanges> route_differences(std::span<const Network> wanted);

    /// Of all interfaces that lead to other machines. In a container without hardware of its own those of its engine.
    Result<std::vector<OutsideInterface>> outside_interfaces();

    /// As wanted (0: 80 bytes less than the smallest interface outside takes, 1420 where there is none). Returns it.
    Result<unsigned> set_mtu(unsigned wanted);

   private:
    MeshLink(std::string name, WireGuard wireguard, Netlink netlink)
        : name_(std::move(name)), wireguard_(std::move(wireguard)), netlink_(std::move(netlink)) {}

    Result<std::vector<Link>> outside_links();

    std::string name_;
    WireGuard wireguard_;
    Netlink netlink_;
};

}  // namespace thole::mesh
