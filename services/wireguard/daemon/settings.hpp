// What node.ini says of the mesh, in the daemon's own words.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "addresses.hpp"
#include "config/node_config.hpp"
#include "mesh.hpp"

namespace thole::mesh {

inline constexpr std::string_view kLink = "wg0";
inline constexpr std::string_view kMeshSocket = "/run/thole/mesh";

/// A place that a person wrote down; its name is looked up again and again.
struct NamedPlace {
    std::string host;  // a name, or an address
    std::uint16_t port = 0;
};

struct DaemonSettings {
    std::string cluster;
    std::string name;
    std::string roles;
    ClusterSecret secret;
    std::optional<ClusterSecret> previous_secret;
    Ranges ranges;
    std::optional<Address> fixed_ipv4;
    std::uint16_t port = 0;  // of WireGuard; greetings go to the one behind it, the mesh's own messages to the next
    unsigned mtu = 0;        // 0: what the network takes
    bool discovery = true;
    std::vector<NamedPlace> seeds;
    std::vector<NamedPlace> endpoints;
    std::vector<Network> pod_ranges;  // where pods of other nodes may be

    [[nodiscard]] std::uint16_t greeting_port() const { return static_cast<std::uint16_t>(port + 1); }
    [[nodiscard]] std::uint16_t message_port() const { return static_cast<std::uint16_t>(port + 2); }
};

/// Of a configuration that has passed its checks. The error says what is missing.
Result<DaemonSettings> read_settings(const NodeConfig& config, std::string_view node_name);

/// "HOST", "HOST:PORT", "IPV6" or "[IPV6]:PORT".
NamedPlace split_place(std::string_view text, std::uint16_t port);

/// Where greetings go on a network segment whose nodes nobody wrote down: the IPv4 broadcast address, and a multicast
/// group of our own (RFC 4291: transient, of the link).
std::vector<Endpoint> discovery_places(std::uint16_t port);

}  // namespace thole::mesh
