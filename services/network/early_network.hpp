// The network before the node's configuration is known, for a configuration that comes by the network.
#pragma once

#include "base/error.hpp"
#include "config/node_config.hpp"

namespace thole {

/// Gives the interface an address: `config` is what is known so far (network.interface, address, gateway), by DHCP
/// where it does not say otherwise. configure_network() comes later and finds it there. `/var` is an empty directory
/// for what the DHCP client keeps.
Status start_early_network(const NodeConfig& config);

}  // namespace thole
