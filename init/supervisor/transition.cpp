#include "supervisor/transition.hpp"

#include <array>

namespace thole {

namespace {

using enum State;

/// When a row holds; the first row that does is taken.
enum class When : std::uint8_t {
    always,
    sleeps,      // it waits for its timer or its sockets, which have not called
    has_helper,  // a command is still to be run
    is_oneshot,
    stays_done,        // a oneshot that remains done when it has ended well
    has_forked,        // a forking service whose first process has ended well
    is_patient,        // what is left of it may end by itself, and SIGKILL was not sent yet
    must_finish,       // post-stop commands are to be run now
    must_finish_late,  // post-stop commands were put off until the stop
};

/// `kOutcome` stands for the state that after_run() finds.
constexpr State kOutcome = static_cast<State>(kStates);

struct Row {
    State from;
    Event event;
    When when;
    State next;
    Action action;
};

using enum When;
using enum Action;

constexpr std::array kTable{
    Row{stopped, Event::start, always, waiting, none},
    Row{skipped, Event::start, always, waiting, none},
    Row{skipped, Event::stop, always, stopped, none},
    Row{failed, Event::start, always, waiting, none},
    Row{failed, Event::stop, always, stopped, none},
    Row{done, Event::start, stays_done, done, none},
    Row{done, Event::start, always, waiting, none},
    Row{done, Event::stop, must_finish_late, finishing, run_helper},
    Row{done, Event::stop, always, stopped, none},

    Row{waiting, Event::admitted, sleeps, idle, arm},
    Row{waiting, Event::admitted, has_helper, preparing, run_helper},
    Row{waiting, Event::admitted, always, starting, spawn},
    Row{waiting, Event::unmet, always, skipped, none},
    Row{waiting, Event::refused, always, failed, none},
    Row{waiting, Event::stop, always, stopped, none},

    Row{idle, Event::start, always, waiting, none},
    Row{idle, Event::activated, always, waiting, none},
    Row{idle, Event::timeout, always, waiting, none},
    Row{idle, Event::spawn_failed, always, kOutcome, none},
    Row{idle, Event::stop, always, stopped, none},

    Row{preparing, Event::helper_done, has_helper, preparing, run_helper},
    Row{preparing, Event::helper_done, always, starting, spawn},
    Row{preparing, Event::helper_failed, always, clearing, clear},
    Row{preparing, Event::spawn_failed, always, clearing, clear},
    Row{preparing, Event::stop, always, stopping, send_stop_signal},
    Row{preparing, Event::timeout, always, stopping, send_stop_signal},

    Row{starting, Event::became_ready, is_oneshot, starting, none},
    Row{starting, Event::became_ready, always, ready, none},
    Row{starting, Event::exited, has_forked, starting, adopt},
    Row{starting, Event::exited, always, clearing, clear},
    Row{starting, Event::spawn_failed, always, clearing, clear},
    Row{starting, Event::stop, always, stopping, send_stop_signal},
    Row{starting, Event::timeout, always, stopping, send_stop_signal},

    Row{ready, Event::exited, always, clearing, clear},
    Row{ready, Event::spawn_failed, always, clearing, clear},
    Row{ready, Event::stop, always, stopping, send_stop_signal},
    Row{ready, Event::unhealthy, always, stopping, abort},

    Row{stopping, Event::exited, always, clearing, clear},
    Row{stopping, Event::spawn_failed, always, clearing, clear},
    Row{stopping, Event::timeout, always, stopping, kill_all},

    Row{clearing, Event::timeout, is_patient, clearing, kill_all},
    Row{clearing, Event::emptied, must_finish, finishing, run_helper},
    Row{clearing, Event::timeout, must_finish, finishing, run_helper},
    Row{clearing, Event::emptied, always, kOutcome, none},
    Row{clearing, Event::timeout, always, kOutcome, none},

    Row{finishing, Event::helper_done, has_helper, finishing, run_helper},
    Row{finishing, Event::helper_done, always, kOutcome, none},
    Row{finishing, Event::timeout, always, kOutcome, kill_all},

    Row{delayed, Event::timeout, always, waiting, none},
    Row{delayed, Event::start, always, waiting, none},
    Row{delayed, Event::stop, always, stopped, none},
};

bool stays(const Circumstances& run) {
    return run.type == ServiceType::oneshot && run.remain && run.succeeded && run.wanted && !run.triggered;
}

bool holds(When when, const Circumstances& run) {
    switch (when) {
        case always: return true;
        case sleeps: return run.triggered && !run.activated;
        case has_helper: return run.helper_left;
        case is_oneshot: return run.type == ServiceType::oneshot;
        case stays_done: return run.remain;
        case has_forked: return run.type == ServiceType::forking && run.succeeded;
        case is_patient: return run.kill == KillMode::cgroup && !run.force_killed;
        case must_finish: return run.helper_left && !stays(run);
        case must_finish_late: return run.helper_left && run.remain;
    }
    return false;
}

/// Where a service goes when its last process is gone.
State after_run(const Circumstances& run) {
    if (!run.wanted) {
        return stopped;
    }
    const bool again = run.starved || run.restart == RestartPolicy::always ||
                       (run.restart == RestartPolicy::on_failure && !run.succeeded);
    if (run.triggered) {
        return run.limited ? failed : run.succeeded ? idle : delayed;  // the delay keeps what fails from running hot
    }
    if (run.type == ServiceType::oneshot && run.succeeded) {
        return done;
    }
    if (again) {
        return run.limited ? failed : delayed;
    }
    return run.succeeded ? stopped : failed;
}

}  // namespace

Transition transition(State state, Event event, const Circumstances& circumstances) {
    for (const Row& row : kTable) {
        if (row.from != state || row.event != event || !holds(row.when, circumstances)) {
            continue;
        }
        if (row.next != kOutcome) {
            return {row.next, row.action};
        }
        const State next = after_run(circumstances);
        return {next, next == idle ? arm : row.action};
    }
    return {state};
}

bool satisfies(State state) { return state == ready || state == idle || state == done || state == skipped; }

bool at_rest(State state) {
    return state == stopped || state == idle || state == done || state == skipped || state == failed;
}

std::string_view to_text(State state) {
    static constexpr std::array<std::string_view, kStates> kNames{
        "stopped",  "waiting",   "idle",    "preparing", "starting", "ready", "stopping",
        "clearing", "finishing", "delayed", "done",      "skipped",  "failed"};
    return kNames[static_cast<std::size_t>(state)];
}

}  // namespace thole
