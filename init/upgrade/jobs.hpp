// SLURM's jobs on a node that is about to reboot: no new ones come, and those that run are waited for.
#pragma once

#include <string>

#include "base/error.hpp"
#include "base/text.hpp"
#include "config/node_config.hpp"

namespace thole::upgrade {

/// Drains this node in SLURM where it runs jobs, and waits until none runs. An error where some still run after
/// `patience`, with their numbers; the node stays drained.
Status wait_for_jobs(const NodeConfig& config, Milliseconds patience);

/// Takes the node's drain back where wait_for_jobs() made it in the boot before. An error where SLURM does not answer
/// (yet).
Status take_jobs_again(const NodeConfig& config);

}  // namespace thole::upgrade
