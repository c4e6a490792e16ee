// Where a server keeps the cluster's objects, for the programs that use it.
#pragma once

#include <string>

#include "config/node_config.hpp"

namespace thole::kubernetes {

/// Lines NAME=VALUE for the units' environment file: the data store's kind and address, the files to reach it by
/// (empty: none), the servers that have it, and whether controllers elect one of several. Empty for an agent.
std::string datastore_environment(const NodeConfig& config);

}  // namespace thole::kubernetes
