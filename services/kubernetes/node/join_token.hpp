// The token by which nodes join the cluster: every node works it out from the mesh's secret.
#pragma once

#include <string>

#include "config/node_config.hpp"
#include "crypto.hpp"

namespace thole::kubernetes {

/// A bootstrap token as Kubernetes has them, "[a-z0-9]{6}.[a-z0-9]{16}" (Kubernetes: Authenticating with Bootstrap
/// Tokens), of a cluster's secret.
std::string join_token(const mesh::Secret& secret);

/// The file of tokens: a line for the secret in force and, while that changes, one for the one before. Empty where the
/// node is in no mesh: nobody joins it.
Result<std::string> join_tokens(const NodeConfig& config, const std::string& mesh_folder);

/// The file of keys by which servers with etcd hand each other the cluster's authorities, lines as above.
Result<std::string> server_keys(const NodeConfig& config, const std::string& mesh_folder);

}  // namespace thole::kubernetes
