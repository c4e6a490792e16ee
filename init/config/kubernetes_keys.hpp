// The checks of node.ini's section [kubernetes].
#pragma once

#include "base/error.hpp"

namespace thole {

class NodeConfig;

/// True where the node has an API server of its own.
bool is_kubernetes_server(const NodeConfig& config);

/// Gives kubernetes.role its value where node.ini has none.
void derive_kubernetes_role(NodeConfig& config);

/// What the keys of [kubernetes] and [mesh] say together.
Status check_kubernetes(const NodeConfig& config);

}  // namespace thole
