// PID 1's side of the logger: pipes for the services, and a process of its own that reads them, so that neither a slow
// disk nor a chatty service holds up PID 1. The pipes outlive the logger: when it dies a new one takes them over.
//
// Nothing here waits. What the logger's socket does not take at once (a thousand pipes at a start) is sent when it has
// room again: either by itself, after attach() to the event loop, or by send_pending().
//
// At the end: disconnect(); the logger then puts what is in the pipes on disk and exits, within two seconds. It does
// not heed SIGTERM. Reap it before /var is unmounted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "log/log_message.hpp"
#include "log/log_places.hpp"
#include "os/event_loop.hpp"
#include "os/fd.hpp"

namespace thole {

struct LogOptions {
    std::string forward;            // empty, "udp:ADDRESS:PORT" or "tcp:ADDRESS:PORT", numeric
    std::string format = "syslog";  // or "json"
    bool kernel = false;            // keep the kernel's messages as the log `kernel`
};

/// The command of the logger process, whose descriptor 3 is what connect() returns.
std::vector<std::string> logger_command(const LogOptions& options);

/// One service's pipe. Both ends stay open in PID 1: the write end for later starts, the read end for a later logger.
struct LogPipe {
    std::string name;
    std::int64_t size = 0;
    int count = 0;
    bool sent = false;  // the logger has it, with these figures
    Fd read_end;
    Fd write_end;
};

class LogChannel : public EventSource {
   public:
    /// From now on what could not be sent goes out when the logger's socket has room. Call it once, before connect().
    void attach(EventLoop& loop) { loop_ = &loop; }

    /// Opens the pipe of a service, or changes the figures of one that is there already.
    Status add(std::string name, std::int64_t size, int count);

    /// Lets go of a service's pipe. The logger reads on for as long as a process has it open.
    void remove(std::string_view name);

    /// The descriptor for the service's stdout and stderr, -1 where there is none. Takes log2(services) steps.
    [[nodiscard]] int output_of(std::string_view name) const;

    /// Makes a connection for a new logger and hands it every pipe. Returns the logger's end.
    Result<Fd> connect();

    /// Lets the logger end.
    void disconnect();

    /// Asks the logger to show a service's last lines on the console.
    void show_tail(std::string_view name);

    /// A message of PID 1's own, for the log `thole`. It may be called before the first connect(), never waits, and
    /// allocates nothing (but at the first call); what the pipe does not take is counted and said in front of the next
    /// message.
    void write_own(std::string_view line);

    /// Whether something waits for send_pending().
    [[nodiscard]] bool pending() const { return pending_; }
    void send_pending();
    void on_events(std::uint32_t events) override;

   private:
    [[nodiscard]] std::size_t place_of(std::string_view name) const;
    [[nodiscard]] LogPipe* find(std::string_view name) const;
    bool send(LogPipe& pipe);
    bool send(const LogMessage& message, int fd);
    bool open_own();

    std::vector<std::unique_ptr<LogPipe>> pipes_;  // in the names' order
    std::vector<std::string> removed_;             // names that the logger does not know yet to be gone
    Fd logger_;
    int own_ = -1;  // the write end of PID 1's own pipe, which does not wait
    EventLoop* loop_ = nullptr;
    std::uint64_t own_lost_ = 0;
    bool pending_ = false;
    bool watching_ = false;
};

}  // namespace thole
