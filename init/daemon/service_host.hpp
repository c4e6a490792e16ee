// The supervisor's Platform on a real machine: each service's cgroup, process, notify socket and probe.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "config/node_config.hpp"
#include "log/log_channel.hpp"
#include "os/cgroup.hpp"
#include "os/console.hpp"
#include "os/event_loop.hpp"
#include "os/notify.hpp"
#include "os/probe.hpp"
#include "os/spawn.hpp"
#include "supervisor/supervisor.hpp"

namespace thole {

class ServiceHost : public Platform {
   public:
    ServiceHost(EventLoop& loop, Console& console, LogChannel& logs, const NodeConfig& config);

    /// Must be called once before the supervisor starts anything.
    void attach(Supervisor& supervisor);

    bool holds(const Condition& condition) override;
    Status spawn(UnitIndex index) override;
    void send_stop_signal(UnitIndex index) override;
    void kill_all(UnitIndex index) override;
    void clear(UnitIndex index) override;
    void changed(UnitIndex index, State before) override;
    Instant now() override;

    /// A child of PID 1 has ended; `code` and `status` as waitid(2) gives them. Unknown children are orphans: nothing
    /// to do.
    void on_child(pid_t pid, int code, int status);

    /// Asks the probes that are due.
    void on_time();
    [[nodiscard]] std::optional<Instant> next_deadline() const;

    /// The main process of a service, or -1.
    [[nodiscard]] pid_t pid_of(UnitIndex index) const;

   private:
    /// Hands a descriptor's events to one member function of the host for one unit.
    struct Source : EventSource {
        Source(ServiceHost& owner, UnitIndex unit, void (ServiceHost::*target)(UnitIndex))
            : host(owner), index(unit), handler(target) {}
        void on_events(std::uint32_t /*events*/) override { (host.*handler)(index); }
        ServiceHost& host;
        UnitIndex index;
        void (ServiceHost::*handler)(UnitIndex);
    };

    struct Running {
        Running(ServiceHost& host, UnitIndex index)
            : notified(host, index, &ServiceHost::on_notification),
              emptied(host, index, &ServiceHost::on_cgroup_event) {}
        Process process;
        std::optional<Cgroup> cgroup;
        std::optional<NotifySocket> notify;
        std::optional<Probe> probe;
        SpawnPlan plan;  // of the main process; an exec probe uses its environment and place
        pid_t probe_pid = -1;
        std::optional<Instant> next_probe;
        Milliseconds probe_interval{0};
        Fd cgroup_events;
        unsigned long oom_kills_before = 0;
        Source notified;
        Source emptied;
    };

    Status prepare_cgroup(Running& running, const Unit& unit);
    Status prepare_readiness(Running& running, const Unit& unit);
    Result<std::vector<std::string>> environment(const Unit& unit) const;
    void on_notification(UnitIndex index);
    void on_cgroup_event(UnitIndex index);
    void ask_probe(UnitIndex index);
    void end_watch(Running& running);
    void end_probe(Running& running);

    EventLoop& loop_;
    Console& console_;
    LogChannel& logs_;
    const NodeConfig& config_;
    Supervisor* supervisor_ = nullptr;
    std::vector<std::unique_ptr<Running>> running_;
};

}  // namespace thole
