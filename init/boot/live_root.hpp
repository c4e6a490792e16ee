// A root that came with the kernel, as a file in its initramfs: nodes that were started by the network, from a CD or
// from a stick.
#pragma once

#include <string_view>

#include "base/error.hpp"
#include "os/console.hpp"

namespace thole {

/// Where such a node has the parts of its image, for `thole install`: root, kernel, loader, and a header with their
/// sums.
inline constexpr std::string_view kLiveFolder = "/run/thole/live";

/// In an initramfs that has a root: makes that "/" and starts PID 1 again from it; then this does not return. Anywhere
/// else it does nothing.
Status enter_live_root(Console& console);

}  // namespace thole
