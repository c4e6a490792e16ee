// Starts a process in a cgroup. The child shares PID 1's memory until it executes (like vfork), so that the price of a
// start does not grow with memory, and a failure on its way is read from that memory: step and errno, no pipe needed.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "os/fd.hpp"

namespace thole {

struct SpawnPlan {
    std::vector<std::string> command;
    std::vector<std::string> environment;  // all of it, NAME=value
    std::string working_directory = "/";
    std::string user = "root";
    int cgroup_directory = -1;  // descriptor of the cgroup's directory, -1 = stay
    int standard_output = -1;   // for stdout and stderr, -1 = /dev/null
    int kept_descriptor = -1;   // passed on as descriptor 3, -1 = none
    std::optional<int> oom_score_adjust;
    int nice = 0;
};

struct Process {
    pid_t pid = -1;
    Fd pidfd;
};

/// Starts the process. The program is looked for in the plan's PATH where its name has no slash. The child gets an
/// empty signal mask, default signal actions, a session of its own, /dev/null as standard input and the node's resource
/// limits. Errors name the step that failed: "cannot start /usr/bin/x: execute: No such file or directory".
Result<Process> spawn(const SpawnPlan& plan);

/// The value of NAME in a list of NAME=value.
std::optional<std::string_view> environment_value(const std::vector<std::string>& environment, std::string_view name);

/// Replaces ${NAME} by the environment's value; an unknown name is an error. `$$` stands for `$`.
Result<std::string> expand_environment(std::string_view text, const std::vector<std::string>& environment);

}  // namespace thole
