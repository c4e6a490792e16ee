// What a process is to be: its command, environment, place and rights. os/launcher starts it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/process_settings.hpp"
#include "os/child.hpp"

namespace thole {

struct SpawnPlan {
    std::vector<std::string> command;
    // All of the environment, NAME=value. LISTEN_PID= and WATCHDOG_PID= without a value get the new process's number.
    std::vector<std::string> environment;
    std::string working_directory = "/";
    std::string user = "root";
    std::string group;
    const Confinement* confinement = nullptr;  // copied when the start begins
    int cgroup_directory = -1;                 // descriptor of the cgroup's directory, -1 = stay
    int standard_output = -1;                  // for stdout and stderr, -1 = /dev/null
    std::vector<PassedDescriptor> passed;      // at most kMostPassed, `to` from 3 to kHighestPassed
    std::optional<int> oom_score_adjust;
    int nice = 0;
};

/// The plan's program: its name where that has a slash, else where the plan's PATH has it; the name where nothing has.
std::string find_program(const SpawnPlan& plan);

/// The value of NAME in a list of NAME=value.
std::optional<std::string_view> environment_value(const std::vector<std::string>& environment, std::string_view name);

/// Replaces ${NAME} by the environment's value; an unknown name is an error. `$$` stands for `$`.
Result<std::string> expand_environment(std::string_view text, const std::vector<std::string>& environment);

}  // namespace thole
