// What scripts expect of systemctl(1): its words and exit statuses, for services.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace thole {

/// A call of systemctl.
struct SystemctlCall {
    std::string_view verb;                     // list-units where none is given
    std::vector<std::string_view> units;       // without ".service"
    std::vector<std::string_view> properties;  // of -p; empty: all
    std::vector<std::string_view> states;      // of --state and --failed; empty: all
    bool quiet = false;
    bool all = false;
    bool value = false;
    bool legend = true;
    bool wait = true;
    bool now = false;
    bool force = false;
    bool services = true;  // false where -t asks for other types only
};

/// The words of a call, whatever its verb. Errors: an option that is not known. Pure.
Result<SystemctlCall> read_systemctl_words(std::span<const std::string_view> arguments);

/// The same, with a verb that there is and the units that it needs. Errors say which of them is missing. Pure.
Result<SystemctlCall> read_systemctl_call(std::span<const std::string_view> arguments);

int systemctl_main(std::span<const std::string_view> arguments);

}  // namespace thole
