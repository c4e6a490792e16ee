// The boot as a Gantt chart in SVG.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "control/protocol.hpp"

namespace thole {

/// A bar for each unit that was started, in the order of the starts; those of `chain` (places in `units`) stand out.
std::string plot_svg(const std::vector<UnitStatus>& units, const std::vector<std::size_t>& chain);

}  // namespace thole
