// The pods' network on this node: its CNI configuration, and what leaves it for elsewhere. No system calls.
//
// A node in a mesh gets its range from the cluster: the kubelet hands it to containerd, which fills it into a template
// of ours. Pods of other nodes are reached through the mesh itself, without another tunnel. A node without a mesh is
// alone and uses the whole range.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/node_config.hpp"

namespace thole::kubernetes {

/// A CNI configuration list for ranges that are known. `mtu` 0: the plugin's own.
std::string cni_config(std::span<const std::string_view> ranges, unsigned mtu);

/// The same as a template of containerd (its option conf_template), which puts the node's ranges in.
std::string cni_template(unsigned mtu);

/// The ranges in a configuration list that one of the two above made.
std::vector<std::string> ranges_in(std::string_view cni_config);

/// Rules for nft(8): what pods send to others than pods and nodes of the mesh goes out under the node's address. Pods
/// and nodes see each other's own addresses.
std::string masquerade_rules(const NodeConfig& config);

}  // namespace thole::kubernetes
