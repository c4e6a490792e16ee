// Switching the machine off from the command line.
#pragma once

#include <span>
#include <string_view>

#include "base/error.hpp"
#include "os/power_down.hpp"

namespace thole {

/// What a call of reboot, poweroff, halt or shutdown asks for, by the words that the programs of those names have.
struct PowerCall {
    PowerAction action = PowerAction::power_off;
    bool force = false;
    bool nothing = false;  // `shutdown -c`, `-k`: there is nothing to be done
};

/// Errors: an option or a time that is not known. Pure.
Result<PowerCall> read_power_call(std::string_view name, std::span<const std::string_view> arguments);

/// The applets reboot, poweroff, halt and shutdown. Returns the exit status.
int power_main(std::string_view name, std::span<const std::string_view> arguments);

/// Asks PID 1, or with `force` the kernel itself. Returns the exit status.
int switch_power(PowerAction action, bool force);

}  // namespace thole
