// The node's address before the first service: static, on a dummy interface, or left to the DHCP unit.
#pragma once

#include "base/error.hpp"
#include "config/node_config.hpp"
#include "os/console.hpp"

namespace thole {

/// Brings up lo and the node's interface. With a static address or none, resolv.conf and node.env are there when it
/// returns; with DHCP it writes dhcp.env, which is what the DHCP unit waits for (its condition-path). A container keeps
/// the network that its runtime made.
Status configure_network(Console& console, const NodeConfig& config, bool in_container);

/// Where no default route leads out of the node, its own processes still reach Services: their range gets a route of
/// its own, so that the kernel does not refuse a connection before kube-proxy's rules see it.
Status route_services(const NodeConfig& config, const std::string& interface);

}  // namespace thole
