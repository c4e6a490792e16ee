// `init k3s`: what k3s reads when it starts (k3s-setup.unit).
#pragma once

namespace thole::k3s {

/// Waits for the node's address, and on an agent for a server; writes k3s' files and ends. Returns the exit status.
int k3s_main();

}  // namespace thole::k3s
