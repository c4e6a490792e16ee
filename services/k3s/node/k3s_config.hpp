// node.ini in k3s' words. No system calls.
#pragma once

#include <string>
#include <vector>

#include "config/node_config.hpp"

namespace thole::k3s {

inline constexpr const char* kTokenFile = "/run/k3s/token";
inline constexpr const char* kDataFolder = "/var/lib/rancher/k3s";

/// What is known only on the node.
struct K3sNode {
    std::string name;
    std::string address;               // the node's, in the mesh where there is one
    std::string outside;               // its address outside the mesh; may be empty
    std::vector<std::string> servers;  // agents: addresses of the cluster's servers, the first is asked first
};

/// k3s' config.yaml (docs.k3s.io: Configuration File; the keys are the long options). An error where an agent knows no
/// server.
Result<std::string> k3s_config(const NodeConfig& config, const K3sNode& node);

/// The cluster's token: hexadecimal digits of a key that every node works out from the mesh's secret.
Result<std::string> k3s_token(const NodeConfig& config, const std::string& mesh_folder);

}  // namespace thole::k3s
