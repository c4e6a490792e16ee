// The running PID 1: one loop over signals, services, the control socket, the clock and the power button.
//
// daemon.cpp is the loop and the way down, requests.cpp answers the command line.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "boot/boot.hpp"
#include "control/server.hpp"
#include "daemon/clock_watch.hpp"
#include "daemon/hardware_watchdog.hpp"
#include "daemon/power_button.hpp"
#include "daemon/service_host.hpp"
#include "log/log_channel.hpp"
#include "os/console.hpp"
#include "os/event_loop.hpp"
#include "os/power_down.hpp"
#include "supervisor/supervisor.hpp"

namespace thole {

class Daemon : public EventSource,
               public RequestHandler,
               public PowerButtonListener,
               public ClockListener,
               public StateListener,
               public ConsoleListener {
   public:
    Daemon(EventLoop loop, Console& console, Booted booted);

    /// Sets signals, sockets and the logger up, starts the units, and runs until the machine goes down. Returns only
    /// with an error that keeps the node from running at all.
    Status run();

    void on_events(std::uint32_t events) override;  // signals
    Result<std::string> answer(const std::vector<std::string_view>& words) override;
    void on_power_button() override;
    void on_clock_jump() override;
    void on_state(UnitIndex index, State before) override;
    void on_lines(std::string_view text) override { logs_.write_own(text); }

   private:
    Status watch_signals();
    void handle_signal(int number);
    Result<std::vector<Unit>> read_units(std::vector<Error>& errors) const;
    Status load();
    Status open_log(const Unit& unit);
    void open_watchdog();
    void start_logger();
    [[nodiscard]] Milliseconds time_for_pods() const;
    void end_logger();
    void reap();
    void child_ended(pid_t pid, int code, int status);
    void request_shutdown(PowerAction action, std::string_view why);
    void end_with_main_service(UnitIndex index);
    [[nodiscard]] std::optional<Instant> next_deadline();
    void on_time();
    [[noreturn]] void finish();

    Result<std::string> answer_shutdown(std::string_view action);
    Result<std::string> answer_units(std::string_view verb, std::string_view name);
    Result<std::string> reload_units();
    Result<UnitIndex> find_unit(std::string_view name);
    [[nodiscard]] std::string status_lines() const;
    [[nodiscard]] std::string info_lines() const;

    EventLoop loop_;
    Console& console_;
    Booted booted_;
    LogChannel logs_;
    ServiceHost host_;
    PowerButton button_;
    ClockWatch clock_;
    HardwareWatchdog watchdog_;
    Fd signals_;
    std::unique_ptr<ControlServer> control_;
    std::optional<Supervisor> supervisor_;
    std::vector<std::string> instances_;  // of templates, that a person has started
    pid_t logger_ = -1;
    Milliseconds logger_delay_{0};
    std::optional<Instant> logger_again_;
    std::optional<PowerAction> going_down_;
    std::optional<Instant> shutdown_deadline_;
    Milliseconds services_time_{0};  // of the shutdown that goes on
    int exit_code_ = 0;              // of a container
};

}  // namespace thole
