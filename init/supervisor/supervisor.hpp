// All services of the node: who may start, who must wait, who has to stop first. Pure: what it wants done it says to a
// Platform, what happened it is told; time comes in from outside, so a test can let an hour pass at once.
//
// Rules
// 1. A wanted service starts when every unit that it is ordered behind has settled: a required one must satisfy (ready,
// done,
//    skipped), any other must merely not be on its way.
// 2. Starting a unit starts what it requires and wants. A required unit that fails for good fails its waiting
// dependents, each
//    with the reason in its status; a required unit that is merely restarting keeps them waiting.
// 3. Stopping a unit first stops those that require it. At shutdown everything stops, each after all that were started
// behind it.
// 4. A unit that crashes is restarted without touching its dependents: they are expected to reconnect.
// 5. The restart delay doubles up to its cap, and starts again with the first after a minute of health.
#pragma once

#include <optional>
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

/// "exit status 3", "killed by SIGKILL, out of memory".
std::string to_text(const ExitStatus& status);

struct Service {
    State state = State::stopped;
    bool wanted = false;
    bool restart_asked = false;
    bool overdue = false;  // the last run was ended because a time was over
    bool force_killed = false;
    ExitStatus last_exit;
    Instant since{};                   // of the present state
    Instant started{};                 // of the present or last process
    std::optional<Milliseconds> took;  // from spawn to ready
    std::optional<Instant> deadline;
    Milliseconds delay{0};
    unsigned restarts = 0;
    std::string reason;  // why it is where it is, for people; the service's own STATUS= while it runs
};

/// What the supervisor asks of the operating system.
class Platform {
   public:
    virtual ~Platform() = default;
    virtual bool holds(const Condition& condition) = 0;
    /// Starts the main process in the unit's cgroup and watches for its readiness.
    virtual Status spawn(UnitIndex index) = 0;
    virtual void send_stop_signal(UnitIndex index) = 0;
    /// SIGKILL to all that belongs to the service, the main process included.
    virtual void kill_all(UnitIndex index) = 0;
    /// The main process is gone: kill the rest where the unit says so, and call on_emptied when nothing is left.
    virtual void clear(UnitIndex index) = 0;
    virtual void changed(UnitIndex index, State before) = 0;
    virtual Instant now() = 0;
};

class Supervisor {
   public:
    Supervisor(Graph graph, Platform& platform);

    void start_all();
    void start(UnitIndex index);
    void stop(UnitIndex index);
    void restart(UnitIndex index);
    /// Wants nothing any more; services stop in reverse order. Starts are refused from now on.
    void begin_shutdown();

    void on_exited(UnitIndex index, const ExitStatus& status);
    void on_emptied(UnitIndex index);
    void on_ready(UnitIndex index);
    void on_status(UnitIndex index, std::string text);
    /// Gives the states whose time is over at the platform's now() their timeout.
    void on_time();

    [[nodiscard]] std::optional<Instant> next_deadline() const;
    [[nodiscard]] bool all_at_rest() const;
    [[nodiscard]] bool shutting_down() const { return shutting_down_; }
    [[nodiscard]] const Graph& graph() const { return graph_; }
    [[nodiscard]] const Service& service(UnitIndex index) const { return services_[index]; }

   private:
    void want(UnitIndex index);
    void give_up(UnitIndex index);
    void apply(UnitIndex index, Event event);
    void enter(UnitIndex index, State next);
    void run(UnitIndex index, Action action);
    void settle();
    bool settle_waiting(UnitIndex index);
    bool settle_unwanted(UnitIndex index);
    bool revive_restarted(UnitIndex index);
    [[nodiscard]] std::optional<std::string> refusal(UnitIndex index) const;
    [[nodiscard]] bool must_wait(UnitIndex index) const;

    Graph graph_;
    Platform& platform_;
    std::vector<Service> services_;
    bool shutting_down_ = false;
    bool settling_ = false;
};

}  // namespace thole
