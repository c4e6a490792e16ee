// The node.ini of an installed node.
#pragma once

#include <string>

#include "base/error.hpp"
#include "config/node_config.hpp"

namespace thole::install {

/// What this node was told, as a node.ini: each key that a person set, wherever that was; not what only a live node
/// needs (`node.data`, `install`), nor what opens its disk (`node.data-key`).
std::string as_node_file(const NodeConfig& config);

/// A file of the person's, checked as the installed node will check it; refused with what must not lie on the disk.
Result<std::string> checked_node_file(const std::string& path);

}  // namespace thole::install
