// The machine's network interfaces as sysfs shows them.
#pragma once

#include <string>
#include <vector>

namespace thole {

/// Interfaces with a device behind them (no lo, bridges, tunnels, dummies), in the order in which the kernel found
/// them.
std::vector<std::string> hardware_interfaces(const std::string& sys);

}  // namespace thole
