// The node's command line: the same binary under other names.
#pragma once

#include <span>
#include <string_view>

namespace thole {

/// `thole VERB ...`. Returns the exit status: 0 done, 1 it failed, 2 it was called wrongly.
int thole_main(std::span<const std::string_view> arguments);

/// What scripts expect of systemctl, reboot, poweroff, halt and shutdown.
int system_name_main(std::string_view name, std::span<const std::string_view> arguments);

}  // namespace thole
