// The logger process: `init logger`, with its connection to PID 1 as descriptor 3. It never waits for a disk or for the
// network: lines go to a ring in memory, to the log writer (a process of its own, forked from it) and, where that is
// wanted, to another machine.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "log/log_places.hpp"

namespace thole {

struct LoggerSettings {
    LogPlaces places;
    int connection = 3;
    bool kernel = false;  // the kernel's messages too
    std::string forward;  // see Forwarder::make
    std::string format = "syslog";
};

/// Reads services' pipes and writes their logs until PID 1 closes the connection; then everything that was written to
/// the pipes is on disk, or two seconds have passed. Returns the exit status.
int run_logger(const LoggerSettings& settings);

/// The same with the arguments of the process, as logger_command() makes them.
int logger_main(std::span<const std::string_view> arguments);

}  // namespace thole
