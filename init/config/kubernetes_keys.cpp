#include "config/kubernetes_keys.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "config/address.hpp"
#include "config/node_config.hpp"

namespace thole {

namespace {

bool is_ipv6_text(std::string_view text) { return text.contains(':'); }

std::string said(const NodeConfig& config, std::string_view key) {
    return concat(key, " is ", config.text(key), " (", config.origin(key), ")");
}

bool names_itself(const NodeConfig& config) {
    const auto own = config.text("node.name");
    return !own.empty() && std::ranges::count(config.list("kubernetes.servers"), own) > 0;
}

/// Members of the data store are known by name, and an even number of them outlives no more losses than one less.
Status check_etcd(const NodeConfig& config) {
    constexpr std::array<std::size_t, 3> kCounts{1, 3, 5};
    const auto servers = config.list("kubernetes.servers");
    if (servers.empty()) {
        return failure(
            concat(said(config, "kubernetes.datastore"),
                   ", but kubernetes.servers is empty: name all servers there, this one too, in the same order "
                   "on all of them; the first one founds the cluster"));
    }
    const std::string named = said(config, "kubernetes.servers");
    for (const auto server : servers) {
        if (parse_address(server)) {
            return failure(concat(named, ", but with kubernetes.datastore = etcd servers are named there, and ", server,
                                  " is an address: write the node's name"));
        }
    }
    if (std::ranges::count(kCounts, servers.size()) == 0) {
        return failure(
            concat(named, ": these are ", servers.size(), ", but etcd decides by majority, so name 1, 3 or 5 servers"));
    }
    if (config.text("node.name").empty()) {
        return failure("kubernetes.datastore is etcd, but node.name is not set: servers are known by their names");
    }
    if (!names_itself(config)) {
        return failure(concat(named, ", but this node is ", config.text("node.name"), " (", config.origin("node.name"),
                              ") and a server: name it there, or set kubernetes.role = agent"));
    }
    if (servers.size() > 1 && config.text("mesh.cluster").empty()) {
        return failure(concat(named,
                              ", but the node is in no mesh: set mesh.cluster and mesh.secret, by which servers "
                              "find each other"));
    }
    return {};
}

}  // namespace

bool is_kubernetes_server(const NodeConfig& config) {
    return config.boolean("kubernetes.enabled") && config.text("kubernetes.role") == "server";
}

bool has_etcd(const NodeConfig& config) {
    return is_kubernetes_server(config) && config.text("kubernetes.datastore") == "etcd";
}

void derive_kubernetes_role(NodeConfig& config) {
    const bool member = config.text("kubernetes.datastore") == "etcd" && names_itself(config);
    const bool joins = !config.text("kubernetes.servers").empty() && !member;
    config.derive("kubernetes.role", joins ? "agent" : "server", joins ? "kubernetes.servers" : "default");
}

bool has_ipv6_pods(const NodeConfig& config) {
    return std::ranges::any_of(config.list("kubernetes.pod-range"), is_ipv6_text);
}

Status check_kubernetes(const NodeConfig& config) {
    if (!config.boolean("kubernetes.enabled")) {
        return {};
    }
    for (const std::string_view key : {"kubernetes.pod-range", "kubernetes.service-range"}) {
        if (const auto ranges = config.list(key); !ranges.empty() && is_ipv6_text(ranges.front())) {
            return failure(concat(key, " begins with ", ranges.front(), " (", config.origin(key),
                                  "), but nodes know each other by IPv4 addresses: name a range of IPv4 first, and the "
                                  "one of IPv6 second"));
        }
    }
    const bool agent = config.text("kubernetes.role") == "agent";
    const std::string role = said(config, "kubernetes.role");
    if (agent && config.text("mesh.cluster").empty()) {
        return failure(concat(role,
                              ", but the node is in no mesh: set mesh.cluster and mesh.secret, by which it "
                              "finds and joins its servers"));
    }
    if (has_etcd(config)) {
        return check_etcd(config);
    }
    if (!agent && !config.text("kubernetes.servers").empty()) {
        return failure(
            concat(role, ", but kubernetes.servers (", config.origin("kubernetes.servers"),
                   ") is what an agent joins: leave one of them out, or set kubernetes.datastore = etcd where "
                   "these are all servers of the cluster"));
    }
    return {};
}

}  // namespace thole
