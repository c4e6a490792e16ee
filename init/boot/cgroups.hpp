// cgroup2 as Kubernetes and SLURM expect it: PID 1 in /init.scope, every controller handed down from the root.
#pragma once

#include "base/error.hpp"
#include "os/console.hpp"

namespace thole {

/// Moves PID 1 (in a container: all processes) out of the root cgroup, enables every controller in the root, makes
/// /services and /system.slice and enables every controller there. A controller that cannot be enabled is reported.
/// In a container all of this happens below the container's own cgroup; an error means that it has none to work with.
Status set_up_cgroups(Console& console);

}  // namespace thole
