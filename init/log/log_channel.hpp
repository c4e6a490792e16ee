// PID 1's side of the logger: pipes for the services, and a process of its own that reads them and writes to disk, so
// that neither a slow disk nor a chatty service holds up PID 1. The pipes outlive the logger: when it dies a new one
// takes them over.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "os/fd.hpp"

namespace thole {

inline constexpr std::string_view kLogDirectory = "/var/log/thole";

/// One service's pipe. Both ends stay open in PID 1: the write end for later starts, the read end for a later logger.
struct LogPipe {
    std::string name;
    std::int64_t size = 0;
    int count = 0;
    Fd read_end;
    Fd write_end;
};

class LogChannel {
   public:
    /// Opens the pipe of a service; it reaches the logger at once or with the next connect().
    Status add(std::string name, std::int64_t size, int count);

    /// The descriptor for the service's stdout and stderr, -1 where there is none.
    [[nodiscard]] int output_of(std::string_view name) const;

    /// Makes a connection for a new logger and hands it every pipe. Returns the logger's end.
    Result<Fd> connect();

    /// Asks the logger to show a service's last lines on the console.
    void show_tail(std::string_view name);

   private:
    void send(const LogPipe& pipe);

    std::vector<LogPipe> pipes_;
    Fd logger_;
};

}  // namespace thole
