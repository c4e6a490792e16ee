// The cluster's secret where it was changed on a running cluster: node.ini still has the one before, and the node keeps
// the new one beside its key.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "mesh.hpp"

namespace thole::mesh {

struct StoredSecret {
    ClusterSecret secret;
    SecretVersion version;
    std::optional<ClusterSecret> previous;
    std::uint64_t previous_until = 0;  // seconds since 1970
};

/// What is in force: the stored secret, where it followed the one that node.ini has, or is that one; else node.ini's,
/// because a person has written another one there. A file that cannot be read counts as none.
StoredSecret choose_secret(const std::string& folder, const ClusterSecret& of_node_ini);

/// Keeps a new secret; a power cut leaves the old or the new one. `of_node_ini` is what it is used in place of.
Status store_secret(const std::string& folder, const StoredSecret& stored, const ClusterSecret& of_node_ini);

}  // namespace thole::mesh
