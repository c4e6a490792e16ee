// The node's command line: the same binary under other names.
#pragma once

#include <span>
#include <string_view>

namespace thole {

/// `thole VERB ...`. The exit statuses are in control/commands.hpp.
int thole_main(std::span<const std::string_view> arguments);

/// What scripts expect of systemctl, reboot, poweroff, halt and shutdown.
int system_name_main(std::string_view name, std::span<const std::string_view> arguments);

}  // namespace thole
