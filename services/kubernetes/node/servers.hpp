// Which nodes of the mesh are the cluster's servers.
#pragma once

#include <string_view>
#include <vector>

#include "config/address.hpp"

namespace thole::kubernetes {

/// What a server announces itself as.
inline constexpr std::string_view kServerRole = "kubernetes-server";

/// The same for one whose disk has a member of the data store (etcd); ../etcd/node.go reads it.
inline constexpr std::string_view kMemberRole = "kubernetes-etcd";

/// What the mesh writes of its members, this node included: a line each.
inline constexpr const char* kMeshNodes = "/run/thole/mesh-nodes";

/// The mesh's IPv4 address of each server, in the order of the mesh's file, or the IPv6 one where that is all it has.
/// `mesh_nodes` has lines "NAME IPV4 IPV6 ROLES PODS" with "-" for what is not there. `wanted` has names or addresses;
/// empty: all that have the role.
std::vector<Address> server_addresses(std::string_view mesh_nodes, const std::vector<std::string_view>& wanted);

}  // namespace thole::kubernetes
