#include "config/ranges.hpp"

#include <vector>

#include "base/text.hpp"
#include "config/address.hpp"
#include "config/node_config.hpp"

namespace thole {

namespace {

constexpr std::string_view kNode = "network.address";
constexpr std::string_view kGateway = "network.gateway";
constexpr std::string_view kPods = "kubernetes.pod-range";
constexpr std::string_view kServices = "kubernetes.service-range";
constexpr std::string_view kMesh = "mesh.range";
constexpr std::string_view kMeshIpv6 = "mesh.ula";
constexpr std::string_view kMeshAddress = "mesh.address";
constexpr std::string_view kCluster = "mesh.cluster";
constexpr std::string_view kDns = "kubernetes.dns-address";

struct Range {
    std::string_view key;
    std::string_view text;
    Network network;
};

/// "kubernetes.pod-range 10.42.0.0/16 (FILE:3)".
std::string named(const NodeConfig& config, const Range& range) {
    return concat(range.key, " ", range.text, " (", config.origin(range.key), ")");
}

std::vector<Range> ranges_of(const NodeConfig& config, std::string_view key) {
    std::vector<Range> ranges;
    for (const auto item : config.list(key)) {
        if (const auto network = parse_network(item)) {
            ranges.push_back({key, item, *network});
        }
    }
    return ranges;
}

Status check_apart(const NodeConfig& config, std::span<const Range> left, std::span<const Range> right) {
    for (const Range& one : left) {
        for (const Range& other : right) {
            if (networks_overlap(one.network, other.network)) {
                return failure(concat(named(config, one), " overlaps ", named(config, other),
                                      ": give them ranges that keep apart"));
            }
        }
    }
    return {};
}

/// Kubernetes pairs the ranges of pods and of Services by family.
Status check_families(const NodeConfig& config, std::span<const Range> pods, std::span<const Range> services) {
    for (const Range& range : services) {
        bool paired = false;
        for (const Range& pod : pods) {
            paired = paired || pod.network.address.family == range.network.address.family;
        }
        if (!paired) {
            return failure(concat(named(config, range), " has no range of its family in ", kPods));
        }
    }
    return {};
}

bool is_link_local_ipv6(const Address& address) {
    return address.family == AF_INET6 && address.bytes[0] == 0xFE && (address.bytes[1] & 0xC0U) == 0x80U;
}

Status check_gateway(const NodeConfig& config) {
    const auto text = config.text(kGateway);
    if (text.empty()) {
        return {};
    }
    const auto node = parse_network(config.text(kNode));
    if (!node) {
        return failure(concat(kGateway, " (", config.origin(kGateway), ") needs a static address, but ", kNode, " is ",
                              config.text(kNode)));
    }
    const auto gateway = parse_address(text);
    if (gateway && is_link_local_ipv6(*gateway) && node->address.family == AF_INET6) {
        return {};
    }
    if (!gateway || !network_contains(*node, *gateway) || *gateway == node->address) {
        return failure(concat(kGateway, " ", text, " (", config.origin(kGateway),
                              ") is not another machine in the node's network ", network_text(network_base(*node))));
    }
    return {};
}

/// A static mesh address is one that a node can have: in the range, and neither its own nor its broadcast address.
Status check_mesh_address(const NodeConfig& config, const Range& mesh) {
    const auto address = parse_address(config.text(kMeshAddress));
    if (!address) {
        return {};
    }
    const bool inside = network_contains(mesh.network, *address);
    const auto above = inside ? network_offset(mesh.network, *address) : 0;
    if (above < 2 || above == network_size(mesh.network) - 1) {
        return failure(concat(kMeshAddress, " ", config.text(kMeshAddress), " (", config.origin(kMeshAddress),
                              ") is not an address for a node in ", kMesh, " ", mesh.text,
                              ": the first two and the last of the range are nobody's"));
    }
    return {};
}

/// The mesh keeps apart from everything else that the node has addresses for.
Status check_mesh(const NodeConfig& config) {
    if (config.text(kCluster).empty()) {
        return {};
    }
    auto mesh = ranges_of(config, kMesh);
    if (auto fits = check_mesh_address(config, mesh.front()); !fits) {
        return fits;
    }
    for (const Range& ipv6 : ranges_of(config, kMeshIpv6)) {
        mesh.push_back(ipv6);
    }
    for (const auto key : {kNode, kPods, kServices}) {
        const bool counts = key == kNode || config.boolean("kubernetes.enabled");
        if (auto apart = counts ? check_apart(config, mesh, ranges_of(config, key)) : Status(); !apart) {
            return apart;
        }
    }
    return {};
}

}  // namespace

Status check_ranges(const NodeConfig& config) {
    if (auto gateway = check_gateway(config); !gateway) {
        return gateway;
    }
    if (auto mesh = check_mesh(config); !mesh || !config.boolean("kubernetes.enabled")) {
        return mesh;
    }
    auto node = ranges_of(config, kNode);
    if (config.text(kNode) == "none") {
        node.push_back({kNode, kDummyAddress, *parse_network(kDummyAddress)});
    }
    const auto pods = ranges_of(config, kPods);
    const auto services = ranges_of(config, kServices);
    if (auto apart = check_apart(config, pods, services); !apart) {
        return apart;
    }
    if (auto apart = check_apart(config, node, pods); !apart) {
        return apart;
    }
    if (auto apart = check_apart(config, node, services); !apart) {
        return apart;
    }
    return check_families(config, pods, services);
}

Status check_dns_address(const NodeConfig& config) {
    const auto address = parse_address(config.text(kDns));
    if (!address) {
        return {};
    }
    for (const Range& range : ranges_of(config, kServices)) {
        const bool first =
            *address == network_address(range.network, 0) || *address == network_address(range.network, 1);
        if (network_contains(range.network, *address) && !first) {
            return {};
        }
    }
    return failure(concat(kDns, " ", config.text(kDns), " (", config.origin(kDns), ") is not a free address in ",
                          kServices, " ", config.text(kServices),
                          ": it cannot be outside, nor the range's first two addresses"));
}

}  // namespace thole
