// Whether this PID 1 runs in a container, and what is different then.
#pragma once

#include <string_view>

#include "os/console.hpp"

namespace thole {

/// True in a PID namespace that is not the machine's own. /proc is mounted.
bool runs_in_container();

/// Gives /var, /run and /tmp the modes that they have on a machine: a pod's volumes are open to everybody, and programs
/// that keep secrets there refuse such folders. What this container may not change stays as it is.
void close_volumes();

/// In a container the firmware's product UUID is the host's, the same for all nodes on it: a file with one made from
/// the machine-id is mounted over it.
void hide_host_uuid(Console& console, std::string_view machine_id);

}  // namespace thole
