// The life of one service, as a pure function from state and event to next state and action.
//
//   stopped ──start──▶ waiting ──admitted──▶ starting ──became_ready──▶ ready
//                        │  └─unmet──▶ skipped   │                        │
//                        └─refused─▶ failed      ├─stop, timeout──▶ stopping ◀──stop
//                                                │                   │
//                                 exited ────────┴──▶ clearing ◀─exited
//   clearing ──emptied──▶ stopped | done | delayed | failed
//   delayed ──timeout──▶ waiting
//
// - waiting:  wanted, but a dependency is not ready yet, or conditions are not yet looked at.
// - starting: the process runs and has not said that it is ready. A oneshot is ready when it has ended well: it goes
// from
//   starting by way of clearing to done.
// - stopping: the stop signal was sent (and SIGCONT after it, for a process that is stopped); after the stop timeout
// comes SIGKILL.
// - clearing: the main process is gone; what is left of its cgroup is killed, and the state ends when the cgroup is
// empty. A
//   process that not even SIGKILL removes (state D) does not hold the machine: after a time the service goes on without
//   it.
// - delayed:  it will be started again when the delay is over.
// - skipped:  a condition does not hold on this node; done: a oneshot has done its work. Both satisfy dependents, as
// ready does.
// - failed:   not started again by itself.
// An event that a state has no line for changes nothing.
#pragma once

#include <cstdint>
#include <string_view>

#include "supervisor/unit.hpp"

namespace thole {

enum class State : std::uint8_t {
    stopped,
    waiting,
    starting,
    ready,
    stopping,
    clearing,
    delayed,
    done,
    skipped,
    failed
};

enum class Event : std::uint8_t {
    start,         // somebody wants it to run
    stop,          // nobody wants it to run any more
    admitted,      // every dependency is satisfied and every condition holds
    unmet,         // a condition does not hold
    refused,       // a required unit has failed
    spawn_failed,  // no process came into being
    became_ready,  // the readiness of its unit was seen
    exited,        // the main process has ended
    emptied,       // no process is left in its cgroup
    timeout,       // the time that the state allows is over
};

enum class Action : std::uint8_t { none, spawn, send_stop_signal, kill_all, clear };

/// What the function must know of the service besides its state.
struct Circumstances {
    ServiceType type = ServiceType::simple;
    RestartPolicy restart = RestartPolicy::on_failure;
    bool wanted = true;      // false while a stop is asked for
    bool succeeded = false;  // the last run ended with status 0 and not for a timeout
};

struct Transition {
    State next;
    Action action = Action::none;
};

Transition transition(State state, Event event, const Circumstances& circumstances);

/// ready, done or skipped: what dependents wait for.
bool satisfies(State state);

/// No process and none to come by itself.
bool at_rest(State state);

std::string_view to_text(State state);

}  // namespace thole
