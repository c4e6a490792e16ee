// Reads the unit files of a directory into a checked graph: for PID 1 at boot and for `thole lint` anywhere.
#pragma once

#include <string>
#include <vector>

#include "supervisor/graph.hpp"

namespace thole {

inline constexpr std::string_view kUnitDirectory = "/usr/lib/thole/units";

/// Every error of every file is collected, so that a person mends them in one go; the graph is only built without any.
Result<Graph> load_units(const std::string& directory, const Expander& expand, std::vector<Error>& errors);

}  // namespace thole
