// The configuration for programs beside PID 1: the command line, and services that need more of it than a unit's words.
#pragma once

#include "base/error.hpp"
#include "config/node_config.hpp"

namespace thole {

/// What PID 1 read, from the same places; in a container from PID 1's environment too. Only root can read all of it.
Result<NodeConfig> running_config();

}  // namespace thole
