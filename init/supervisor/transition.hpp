// The life of one service, as a pure function from state and event to next state and action.
//
//                 ┌──────────── activated ───────────┐
//   stopped ─start─▶ waiting ─admitted─▶ idle ───────┘
//                      │ │ └─admitted─▶ preparing ─helper ended─▶ starting ─became_ready─▶ ready
//                      │ └─unmet─▶ skipped  │                         │                      │
//                      └─refused─▶ failed   └──── stop, timeout ──────┴──▶ stopping ◀─ stop, unhealthy
//                                                                             │
//                                  whenever the main process has ended ──▶ clearing ◀── exited
//   clearing ─emptied─▶ (finishing ─helper ended─▶) outcome: stopped | done | idle | delayed | failed
//   delayed ─timeout─▶ waiting
//
// - waiting:   wanted, but a dependency is not ready yet, or conditions are not yet looked at.
// - idle:      its timer runs or its sockets are watched; a start, the time or a connection activates it.
// - preparing: its pre-start commands run, one after the other.
// - starting:  the process runs and has not said that it is ready. A oneshot is ready when it has ended well: it goes
//              from starting by way of clearing to done. A forking one ends its first process and is ready when its pid
//              file names another.
// - stopping:  the stop signal was sent (and SIGCONT after it, for a process that is stopped); after the stop timeout
//              comes SIGKILL.
// - clearing:  the main process is gone; the rest of its cgroup gets its signal, and SIGKILL where it does not go. A
//              process that not even SIGKILL removes (state D) does not hold the machine: after a time the service goes
//              on without it.
// - finishing: its post-stop commands run.
// - delayed:   it will be started again when the delay is over.
// - skipped:   a condition does not hold on this node; done: a oneshot has done its work. Both satisfy dependents, as
//              ready and idle do.
// - failed:    not started again by itself.
// An event that a state has no row for changes nothing.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "supervisor/unit.hpp"

namespace thole {

enum class State : std::uint8_t {
    stopped,
    waiting,
    idle,
    preparing,
    starting,
    ready,
    stopping,
    clearing,
    finishing,
    delayed,
    done,
    skipped,
    failed
};
inline constexpr std::size_t kStates = 13;

enum class Event : std::uint8_t {
    start,          // somebody wants it to run
    stop,           // nobody wants it to run any more
    admitted,       // every dependency is satisfied and every condition holds
    unmet,          // a condition does not hold
    refused,        // a required unit has failed
    activated,      // its timer or a socket calls for it
    helper_done,    // a pre-start or post-stop command has ended well, or a post-stop command badly
    helper_failed,  // a pre-start command has ended badly
    spawn_failed,   // no process came into being, or it could not run its program
    became_ready,   // the readiness of its unit was seen
    unhealthy,      // its watchdog heard nothing
    exited,         // the main process has ended
    emptied,        // no process is left in its cgroup
    timeout,        // the time that the state allows is over
};

enum class Action : std::uint8_t {
    none,
    arm,               // set the timer, watch the sockets
    run_helper,        // the next pre-start or post-stop command
    spawn,             // the main process
    adopt,             // find the main process of a forking service
    send_stop_signal,  // to the main process or all, as the unit says
    abort,             // SIGABRT, for what hangs
    kill_all,          // SIGKILL
    clear,             // end what the main process has left, and say when nothing is left
};

/// What the function must know of the service besides its state.
struct Circumstances {
    ServiceType type = ServiceType::simple;
    RestartPolicy restart = RestartPolicy::on_failure;
    KillMode kill = KillMode::mixed;
    bool wanted = true;        // false while a stop is asked for
    bool succeeded = false;    // the last run ended with status 0 and not for a timeout
    bool triggered = false;    // it has a timer or on-demand sockets
    bool activated = false;    // and they have called
    bool helper_left = false;  // a command of the state's kind is still to be run
    bool remain = true;        // a oneshot stays done, and its post-stop commands wait for its stop
    bool force_killed = false;
    bool starved = false;  // no process could be made: tried again whatever the policy
    bool limited = false;  // too many starts
};

struct Transition {
    State next;
    Action action = Action::none;
};

Transition transition(State state, Event event, const Circumstances& circumstances);

/// ready, idle, done or skipped: what dependents wait for.
bool satisfies(State state);

/// No process and none to come by itself, but for its timer or its sockets.
bool at_rest(State state);

std::string_view to_text(State state);

}  // namespace thole
