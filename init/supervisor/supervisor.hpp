// All services of the node: who may start, who must wait, who has to stop first. Pure: what it wants done it says to a
// Platform, what happened it is told; time comes in from outside, so a test can let an hour pass at once.
//
// Rules
// 1. A wanted service starts when every unit that it is ordered behind has settled: a required one must satisfy (ready,
//    idle, done, skipped), any other must merely not be on its way.
// 2. Starting a unit starts what it requires and wants; of those that were skipped the conditions are looked at again.
// A required unit that fails for good fails its waiting
//    dependents, each with that unit's name and reason in its status; a required unit that is merely restarting keeps
//    them waiting.
// 3. Stopping a unit first stops those that require it. At shutdown everything stops, each after all that were started
//    behind it.
// 4. A unit that crashes is restarted without touching its dependents: they are expected to reconnect.
// 5. The restart delay doubles up to its cap, and starts again with the first after a time of health.
// 6. Of two units that conflict, the start of one stops the other and waits for it. At the start of the node the first
//    by name wins.
// 7. A reload takes a new graph as a whole or not at all: what is new and enabled starts, what is gone stops, what has
//    changed restarts if it runs; all others are not touched.
//
// supervisor.cpp takes what is asked for and what has happened, supervisor_step.cpp does one step of one service,
// supervisor_settle.cpp lets others follow, supervisor_reload.cpp takes new units.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "os/clock.hpp"
#include "supervisor/graph.hpp"
#include "supervisor/transition.hpp"

namespace thole {

/// How a main process ended.
struct ExitStatus {
    int code = 0;    // exit code where signal is 0
    int signal = 0;  // the signal that ended it, or 0
    bool out_of_memory = false;
};

/// "exit status 3", "killed by signal 9 (Killed), out of memory".
std::string to_text(const ExitStatus& status);

struct Service {
    State state = State::stopped;
    bool wanted = false;
    bool queued = false;
    bool restart_asked = false;
    bool activated = false;  // its timer or a socket has called, or a person
    bool broken = false;     // the last run counts as a failure whatever its exit status
    bool starved = false;    // no process could be made for lack of memory or process numbers
    bool force_killed = false;
    bool ran = false;  // it has had a process since the node started
    ExitStatus last_exit;
    std::uint16_t helper = 0;            // the next pre-start or post-stop command
    std::uint16_t starts_in_window = 0;  // see start-limit-count
    unsigned restarts = 0;
    Instant since{};                   // of the present state
    Instant started{};                 // of the present or last process
    Instant window{};                  // in which starts are counted
    std::optional<Milliseconds> took;  // from spawn to ready
    std::optional<Instant> deadline;
    Milliseconds delay{0};
    Milliseconds watchdog{0};          // of this run
    std::optional<UnitIndex> held_by;  // the required unit whose failure keeps it from starting
    std::string reason;                // why it is where it is, for people
    std::string status;                // the service's own STATUS= while it runs
};

/// What the supervisor asks of the operating system.
class Platform {
   public:
    virtual ~Platform() = default;
    virtual bool holds(const Condition& condition) = 0;
    /// Starts the main process in the unit's cgroup and watches for its readiness. Whether its program runs comes by
    /// on_executed or on_start_failed, which may be called before this returns.
    virtual Status spawn(UnitIndex index) = 0;
    /// Starts one pre-start or post-stop command in the unit's cgroup, in the same way; its end comes by on_exited.
    virtual Status run_helper(UnitIndex index, const CommandLine& command) = 0;
    /// Looks for the main process of a forking service; on_ready when it is found.
    virtual void adopt(UnitIndex index) = 0;
    /// Watches the unit's sockets, if it has some; on_activated when something arrives.
    virtual Status arm(UnitIndex index) = 0;
    /// False where there is no main process to hear it.
    virtual bool send_stop_signal(UnitIndex index) = 0;
    virtual void send_signal(UnitIndex index, int signal) = 0;
    /// SIGKILL to all that belongs to the service, the main process included.
    virtual void kill_all(UnitIndex index) = 0;
    /// The main process is gone: end the rest as the unit says, and call on_emptied when nothing is left.
    virtual void clear(UnitIndex index) = 0;
    virtual void changed(UnitIndex index, State before) = 0;
    /// The graph is another one: `former[new]` is where a unit stood before, or none.
    virtual void reindexed(std::span<const std::optional<UnitIndex>> former) = 0;
    virtual Instant now() = 0;
    /// Seconds since 1970, for calendars.
    virtual std::int64_t wall_seconds() = 0;
    /// A number from 0 to below `limit`.
    virtual std::int64_t random(std::int64_t limit) = 0;
};

struct ReloadChange {
    enum class Kind : std::uint8_t { added, changed, removed };
    Kind kind;
    std::string name;
};

class Supervisor {
   public:
    Supervisor(Graph graph, Platform& platform);

    /// Starts what is enabled.
    void start_all();
    void start(UnitIndex index);
    void stop(UnitIndex index);
    void restart(UnitIndex index);
    /// Asks a ready service to read its configuration again. Errors: it is not ready, its unit has no reload-signal.
    Status reload_service(UnitIndex index);
    /// Takes new units. Errors: those of Graph::build; nothing has changed then.
    Result<std::vector<ReloadChange>> reload(std::vector<Unit> units);
    /// Wants nothing any more; services stop in reverse order. Starts are refused from now on.
    void begin_shutdown();

    /// The program of the process that was started last runs.
    void on_executed(UnitIndex index);
    /// The process that was started last could not run its program, and has ended.
    void on_start_failed(UnitIndex index, const Error& error);
    void on_exited(UnitIndex index, const ExitStatus& status);
    void on_emptied(UnitIndex index);
    void on_ready(UnitIndex index);
    void on_activated(UnitIndex index);
    void on_status(UnitIndex index, std::string text);
    /// The service says that it is alive (WATCHDOG=1).
    void on_alive(UnitIndex index);
    /// The service chooses the time of its watchdog itself (WATCHDOG_USEC); 0 = none.
    void on_watchdog_time(UnitIndex index, Milliseconds time);
    /// The service says itself that it has failed (WATCHDOG=trigger).
    void on_unhealthy(UnitIndex index);
    /// The service asks for more time to start or stop (EXTEND_TIMEOUT_USEC).
    void on_extension(UnitIndex index, Milliseconds time);
    /// The wall clock has jumped: calendars are looked at anew.
    void on_clock_changed();
    /// Gives the states whose time is over at the platform's now() their timeout.
    void on_time();

    [[nodiscard]] std::optional<Instant> next_deadline();
    [[nodiscard]] bool all_at_rest() const { return busy_ == 0; }
    [[nodiscard]] bool shutting_down() const { return shutting_down_; }
    [[nodiscard]] const Graph& graph() const { return graph_; }
    [[nodiscard]] const Service& service(UnitIndex index) const { return services_[index]; }

   private:
    void want(UnitIndex index);
    void give_way(UnitIndex index);
    bool has_rival(UnitIndex index);
    void give_up(UnitIndex index);
    void apply(UnitIndex index, Event event);
    void enter(UnitIndex index, State next);
    static void begin_run(Service& service, Instant now);
    void delay(UnitIndex index, Instant now);
    void run(UnitIndex index, Action action);
    void run_spawn(UnitIndex index);
    void run_helper(UnitIndex index);
    void run_arm(UnitIndex index);
    void run_kill(UnitIndex index);
    void spawn_failed(UnitIndex index, const Error& error);
    void count_start(UnitIndex index, Instant now);
    [[nodiscard]] bool limited(UnitIndex index) const;
    [[nodiscard]] Circumstances circumstances(UnitIndex index) const;
    [[nodiscard]] const std::vector<CommandLine>* helpers(UnitIndex index) const;
    [[nodiscard]] std::optional<Instant> deadline_of(UnitIndex index, Instant now);
    [[nodiscard]] std::optional<Instant> next_trigger(UnitIndex index, Instant now);
    void set_deadline(Service& service, std::optional<Instant> deadline);
    void touch(UnitIndex index);
    void queue(UnitIndex index);
    void settle();
    bool settle_waiting(UnitIndex index);
    bool settle_unwanted(UnitIndex index);
    bool revive_restarted(UnitIndex index);
    bool refuse(UnitIndex index);
    [[nodiscard]] bool must_wait(UnitIndex index) const;
    std::vector<ReloadChange> replace_graph(Graph next);
    void apply_changes(std::span<const UnitIndex> to_restart, std::span<const UnitIndex> to_start);

    Graph graph_;
    Platform& platform_;
    std::vector<Service> services_;
    std::vector<UnitIndex> queue_;    // units that may have a step to take
    std::optional<Instant> soonest_;  // of all deadlines, where known
    int busy_ = 0;                    // services that are not at rest
    bool soonest_known_ = true;
    bool shutting_down_ = false;
    bool settling_ = false;
};

}  // namespace thole
