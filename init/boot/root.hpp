// What `/` is: the image as the kernel mounted it, or the image with changes in memory, or a copy of it in memory.
#pragma once

#include <string_view>

#include "base/error.hpp"
#include "config/node_config.hpp"
#include "os/console.hpp"

namespace thole {

/// node.root, as it is now: "image", "overlay" or "tmpfs".
std::string_view root_kind();

/// PID 1 was read from the old root, and would keep it in use: it does all steps again from the new one, and finds them
/// done. Returns where that fails only.
Status start_again();

/// Brings `/` to what node.root says. Where it has to change, the new root takes the place of the old one with all that
/// is mounted below (pivot_root(2)), and PID 1 starts again from it: then this does not return. An error leaves the
/// node in a state that only a halt fits.
Status change_root(Console& console, const NodeConfig& config);

}  // namespace thole
