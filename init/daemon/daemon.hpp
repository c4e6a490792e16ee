// The running PID 1: one loop over signals, services, the control socket and the power button.
#pragma once

#include <array>
#include <memory>
#include <optional>

#include "boot/boot.hpp"
#include "control/server.hpp"
#include "daemon/power_button.hpp"
#include "daemon/service_host.hpp"
#include "log/log_channel.hpp"
#include "os/console.hpp"
#include "os/event_loop.hpp"
#include "os/power_down.hpp"
#include "supervisor/supervisor.hpp"

namespace thole {

class Daemon : public EventSource, public RequestHandler, public PowerButtonListener {
   public:
    Daemon(EventLoop loop, Console& console, Booted booted);

    /// Sets signals, sockets and the logger up, starts the units of `directory`, and runs until the machine goes down.
    /// Returns only with an error that keeps the node from running at all.
    Status run(const std::string& directory);

    void on_events(std::uint32_t events) override;  // signals
    Result<std::string> answer(const std::vector<std::string_view>& words) override;
    void on_power_button() override;

   private:
    Status watch_signals();
    Status load(const std::string& directory);
    void start_logger();
    void reap();
    void request_shutdown(PowerAction action, std::string_view why);
    [[nodiscard]] std::optional<Instant> next_deadline() const;
    void on_time();
    [[noreturn]] void finish();
    [[nodiscard]] std::string status_lines() const;
    Result<std::string> change_unit(std::string_view verb, std::string_view name);

    EventLoop loop_;
    Console& console_;
    Booted booted_;
    LogChannel logs_;
    ServiceHost host_;
    PowerButton button_;
    Fd signals_;
    std::unique_ptr<ControlServer> control_;
    std::optional<Supervisor> supervisor_;
    pid_t logger_ = -1;
    std::optional<Instant> logger_again_;
    std::optional<PowerAction> going_down_;
    std::optional<Instant> shutdown_deadline_;
};

}  // namespace thole
