// systemd's words for what PID 1 says of a unit (systemctl(1), org.freedesktop.systemd1(5)). Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "control/protocol.hpp"

namespace thole {

struct ActiveWords {
    std::string_view active;  // active, activating, deactivating, inactive, failed
    std::string_view sub;
};

/// An unknown state is inactive and dead.
ActiveWords active_words(std::string_view state);

/// success, exit-code, signal, oom-kill, timeout or resources, as a service's property Result.
std::string_view result_word(const UnitStatus& unit);

/// What waitid(2) gave for the main process: CLD_EXITED with its status, CLD_KILLED with the signal, or nothing yet.
struct ExecMain {
    std::int64_t code = 0;
    std::int64_t status = 0;
};
ExecMain exec_main(std::string_view exit);

/// "NAME.service" or "NAME" as this node has it: "NAME".
std::string_view without_suffix(std::string_view unit);

/// The state of all together and the exit status of is-system-running: initializing, starting, running, degraded,
/// stopping.
std::string_view system_word(const std::vector<UnitStatus>& units, bool going_down);

/// The properties of `show`, in the order of the page: NAME and value. A unit that there is not has LoadState
/// not-found.
struct Property {
    std::string_view name;
    std::string value;
};
/// What a property needs that PID 1 does not say.
struct ServiceFacts {
    bool known = false;
    std::int64_t memory = -1;
    std::int64_t tasks = -1;
    std::string fragment;  // the path of its unit file
};
std::vector<Property> properties_of(const UnitStatus& unit, const ServiceFacts& facts);

}  // namespace thole
