// Starts a process in a cgroup. The child shares PID 1's memory until it executes (like vfork), so that the price of a
// start does not grow with memory, and a failure on its way is read from that memory: step and errno, no pipe needed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/process_settings.hpp"
#include "os/process.hpp"

namespace thole {

/// A descriptor that the program gets, and under which number.
struct PassedDescriptor {
    int from = -1;
    int to = -1;
};

inline constexpr int kHighestPassed = 99;
inline constexpr std::size_t kMostPassed = 32;

struct SpawnPlan {
    std::vector<std::string> command;
    // All of the environment, NAME=value. LISTEN_PID= and WATCHDOG_PID= without a value get the new process's number.
    std::vector<std::string> environment;
    std::string working_directory = "/";
    std::string user = "root";
    std::string group;
    const Confinement* confinement = nullptr;
    int cgroup_directory = -1;             // descriptor of the cgroup's directory, -1 = stay
    int standard_output = -1;              // for stdout and stderr, -1 = /dev/null
    std::vector<PassedDescriptor> passed;  // at most kMostPassed, `to` from 3 to kHighestPassed
    std::optional<int> oom_score_adjust;
    int nice = 0;
};

/// Starts the process. The program is looked for in the plan's PATH where its name has no slash. The child gets an
/// empty signal mask, default signal actions, a session of its own and /dev/null as standard input. Errors name the
/// step that failed: "cannot start /usr/bin/x: the new process could not execute it: No such file or directory"; their
/// code is EAGAIN or ENOMEM where no process could be made and another try may succeed.
Result<Process> spawn(const SpawnPlan& plan);

/// The value of NAME in a list of NAME=value.
std::optional<std::string_view> environment_value(const std::vector<std::string>& environment, std::string_view name);

/// Replaces ${NAME} by the environment's value; an unknown name is an error. `$$` stands for `$`.
Result<std::string> expand_environment(std::string_view text, const std::vector<std::string>& environment);

}  // namespace thole
