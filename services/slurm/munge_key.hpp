// The key by which munged knows the cluster's messages.
#pragma once

#include <string>

#include "config/node_config.hpp"
#include "crypto.hpp"

namespace thole::slurm {

/// A node that is in a mesh: from the cluster's secret that is in force (`mesh_folder` has one that was changed on the
/// running cluster), by a hash of its own purpose. Else the node's own key in `own_file`, made of random numbers on
/// first use.
Result<mesh::Secret> munge_key(const NodeConfig& config, const std::string& mesh_folder, const std::string& own_file);

/// Writes the key for munged: mode 0400, owned by `user`. False where the file has just that key already.
Result<bool> write_munge_key(const std::string& path, const mesh::Secret& key, std::string_view user);

}  // namespace thole::slurm
