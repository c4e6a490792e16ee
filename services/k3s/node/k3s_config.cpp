#include "k3s_config.hpp"

#include "base/text.hpp"
#include "config/kubernetes_keys.hpp"
#include "secret_store.hpp"

namespace thole::k3s {

namespace {

constexpr std::string_view kServerPort = "6443";

/// A YAML string in double quotes; what node.ini takes as names, addresses and numbers needs no escapes.
void put(std::string& yaml, std::string_view key, std::string_view value) { append(yaml, key, ": \"", value, "\"\n"); }

void put_list(std::string& yaml, std::string_view key, const std::vector<std::string>& values) {
    if (values.empty()) {
        return;
    }
    append(yaml, key, ":\n");
    for (const std::string& value : values) {
        append(yaml, "  - \"", value, "\"\n");
    }
}

std::string bracketed(const std::string& address) {
    return address.find(':') == std::string::npos ? address : concat("[", address, "]");
}

/// What both roles have.
void put_node(std::string& yaml, const NodeConfig& config, const K3sNode& node) {
    put(yaml, "node-name", node.name);
    put(yaml, "node-ip", node.address);
    if (!config.text("mesh.cluster").empty()) {
        put(yaml, "token-file", kTokenFile);
    }
    put(yaml, "snapshotter", "overlayfs");
    put(yaml, "resolv-conf", "/run/thole/resolv.conf");
    if (!config.text("mesh.cluster").empty()) {
        put(yaml, "flannel-iface", "wg0");
        if (!node.outside.empty()) {
            put(yaml, "node-external-ip", node.outside);
        }
    }
    const std::string reserved = concat("system-reserved=cpu=", config.text("kubernetes.reserved-cpu"),
                                        "m,memory=", config.text("kubernetes.reserved-memory"), "Mi");
    // A power cut leaves the kubelet's own state on the data disk, whatever else is in memory.
    put_list(yaml, "kubelet-arg",
             {reserved, "eviction-hard=memory.available<100Mi,nodefs.available<5%,imagefs.available<5%",
              "pod-max-pids=4096", "seccomp-default=true"});
}

/// k3s' names of what it would install: never the ways in from outside, the others as node.ini has them.
std::vector<std::string> disabled(const NodeConfig& config) {
    std::vector<std::string> names{"traefik", "servicelb"};
    for (const auto& [key, name] :
         {std::pair("kubernetes.dns", "coredns"), std::pair("kubernetes.metrics", "metrics-server"),
          std::pair("kubernetes.local-storage", "local-storage")}) {
        if (!config.boolean(key)) {
            names.emplace_back(name);
        }
    }
    return names;
}

void put_server(std::string& yaml, const NodeConfig& config, const K3sNode& node) {
    put(yaml, "advertise-address", node.address);
    std::vector<std::string> names{node.name, node.address};
    if (!node.outside.empty()) {
        names.push_back(node.outside);
    }
    put_list(yaml, "tls-san", names);
    put_list(yaml, "disable", disabled(config));
    if (!config.boolean("kubernetes.network-policy")) {
        put(yaml, "disable-network-policy", "true");
    }
    put(yaml, "cluster-cidr", config.text("kubernetes.pod-range"));
    put(yaml, "service-cidr", config.text("kubernetes.service-range"));
    put(yaml, "cluster-dns", config.text("kubernetes.dns-address"));
    put(yaml, "cluster-domain", config.text("kubernetes.cluster-domain"));
    put(yaml, "write-kubeconfig-mode", "0600");
}

}  // namespace

Result<std::string> k3s_config(const NodeConfig& config, const K3sNode& node) {
    std::string yaml = "# Made from node.ini at each boot.\n";
    put_node(yaml, config, node);
    if (is_kubernetes_server(config)) {
        put_server(yaml, config, node);
        return yaml;
    }
    if (node.servers.empty()) {
        return failure("no server of the cluster is known in the mesh yet");
    }
    put(yaml, "server", concat("https://", bracketed(node.servers.front()), ":", kServerPort));
    return yaml;
}

Result<std::string> k3s_token(const NodeConfig& config, const std::string& mesh_folder) {
    const auto secret = mesh::ClusterSecret::parse(config.text("mesh.secret"));
    if (!secret) {
        return with_context("mesh.secret", secret.error());
    }
    const auto in_force = mesh::choose_secret(mesh_folder, *secret);
    const mesh::Secret key = mesh::derive_key(in_force.secret, "thole k3s token");
    return hexadecimal(key.bytes());
}

}  // namespace thole::k3s
