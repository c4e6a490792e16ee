// The supervisor's Platform on a real machine: each service's cgroup, processes, sockets and signs of readiness.
//
// service_host.cpp ends processes and hears of their end, service_start.cpp makes them, service_watch.cpp hears what
// they say while they run.
#pragma once

#include <memory>
#include <vector>

#include "boot/boot.hpp"
#include "config/node_config.hpp"
#include "daemon/pid_table.hpp"
#include "log/log_channel.hpp"
#include "os/cgroup.hpp"
#include "os/console.hpp"
#include "os/event_loop.hpp"
#include "os/launcher.hpp"
#include "os/probe.hpp"
#include "supervisor/supervisor.hpp"

namespace thole {

/// Who is told that a unit's state is another one.
class StateListener {
   public:
    virtual ~StateListener() = default;
    virtual void on_state(UnitIndex index, State before) = 0;
};

class ServiceHost : public Platform {
   public:
    ServiceHost(EventLoop& loop, Console& console, LogChannel& logs, const Booted& booted);

    /// Must be called once before the supervisor starts anything.
    void attach(Supervisor& supervisor, StateListener& listener);

    bool holds(const Condition& condition) override;
    Status spawn(UnitIndex index) override;
    Status run_helper(UnitIndex index, const CommandLine& command) override;
    void adopt(UnitIndex index) override;
    Status arm(UnitIndex index) override;
    bool send_stop_signal(UnitIndex index) override;
    void send_signal(UnitIndex index, int signal) override;
    void kill_all(UnitIndex index) override;
    void clear(UnitIndex index) override;
    void changed(UnitIndex index, State before) override;
    void reindexed(std::span<const std::optional<UnitIndex>> former) override;
    Instant now() override;
    std::int64_t wall_seconds() override;
    std::int64_t random(std::int64_t limit) override;

    /// A child of PID 1 has ended; `code` and `status` as waitid(2) gives them. Unknown children are orphans: nothing
    /// to do.
    void on_child(pid_t pid, int code, int status);

    /// Before the loop sleeps: waits a moment for programs that are being started, and says which run.
    void follow_starts();

    /// Asks the probes that are due, and looks after starts that take long.
    void on_time();
    [[nodiscard]] std::optional<Instant> next_deadline() const;

    /// The main process of a service, or -1.
    [[nodiscard]] pid_t pid_of(UnitIndex index) const { return running_[index].process.pid; }

   private:
    enum class WatchKind : std::uint8_t { notify, cgroup_events, main_process, readiness, listener };

    /// A descriptor that is looked at for one unit. It closes with its end.
    struct Watch : EventSource {
        Watch(ServiceHost& owner, UnitIndex unit, WatchKind what, Fd descriptor)
            : host(owner), index(unit), kind(what), fd(std::move(descriptor)) {}
        void on_events(std::uint32_t /*events*/) override { host.on_watch(index, kind); }
        ServiceHost& host;
        UnitIndex index;
        WatchKind kind;
        Fd fd;
    };

    /// Questions to a service that is starting, at growing intervals.
    struct Asking {
        std::optional<Probe> probe;
        pid_t pid = -1;  // of an exec probe that runs
        std::optional<Instant> next;
        Milliseconds interval{0};
    };

    struct Running {
        Process process;  // the main one, or a pre-start or post-stop command
        std::unique_ptr<Asking> asking;
        std::vector<std::unique_ptr<Watch>> watches;
        std::vector<Fd> listeners;
        unsigned oom_kills_before = 0;
        bool has_cgroup = false;
        bool cgroup_was_killed = false;
    };

    // service_start.cpp
    Status start_process(UnitIndex index, const CommandLine& command, SpawnPlan& plan);
    void hear_starts();
    Status fill_plan(UnitIndex index, const CommandLine& command, SpawnPlan& plan);
    Status prepare_cgroup(UnitIndex index, Fd& directory);
    static Status prepare_listeners(Running& running, const Unit& unit);
    static Status pass_listeners(const Running& running, const Unit& unit, SpawnPlan& plan);
    Status prepare_notify(UnitIndex index, SpawnPlan& plan);
    Status prepare_readiness(UnitIndex index, SpawnPlan& plan, Fd& write_end);
    static Result<std::vector<std::string>> environment(const Unit& unit);

    // service_watch.cpp
    Status watch(UnitIndex index, WatchKind kind, Fd fd, std::uint32_t events);
    [[nodiscard]] Watch* find_watch(UnitIndex index, WatchKind kind);
    void end_watch(UnitIndex index, WatchKind kind);
    void end_watches(UnitIndex index);
    void end_asking(Running& running);
    void on_watch(UnitIndex index, WatchKind kind);
    void on_notification(UnitIndex index);
    [[nodiscard]] bool notification_waits(UnitIndex index);
    void on_cgroup_event(UnitIndex index);
    void emptied(UnitIndex index);
    void remove_cgroup(UnitIndex index);
    bool kill_cgroup(UnitIndex index);
    void on_main_process(UnitIndex index);
    void on_readiness_line(UnitIndex index);
    void on_connection(UnitIndex index);
    void take_main_pid(UnitIndex index, pid_t pid);
    [[nodiscard]] Cgroup cgroup_of(UnitIndex index) const;
    [[nodiscard]] bool belongs(UnitIndex index, pid_t pid) const;
    void ask(UnitIndex index);
    bool ask_now(UnitIndex index);
    void ask_by_program(UnitIndex index);

    void main_ended(UnitIndex index, int code, int status);
    void forget_process(Running& running);

    EventLoop& loop_;
    Console& console_;
    LogChannel& logs_;
    const NodeConfig& config_;
    bool in_container_;
    bool has_cgroups_;
    Supervisor* supervisor_ = nullptr;
    StateListener* listener_ = nullptr;
    std::vector<Running> running_;
    PidTable pids_;
    Launcher launcher_;
};

}  // namespace thole
