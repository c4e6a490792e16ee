// The checks of node.ini's section [kubernetes].
#pragma once

#include "base/error.hpp"

namespace thole {

class NodeConfig;

/// True where the node has an API server of its own.
bool is_kubernetes_server(const NodeConfig& config);

/// True where that API server keeps its objects in etcd.
bool has_etcd(const NodeConfig& config);

/// Gives kubernetes.role its value where node.ini has none.
void derive_kubernetes_role(NodeConfig& config);

/// Whether pods have addresses of both families.
bool has_ipv6_pods(const NodeConfig& config);

/// What the keys of [kubernetes] and [mesh] say together.
Status check_kubernetes(const NodeConfig& config);

}  // namespace thole
