#include "supervisor/transition.hpp"

#include <array>

namespace thole {

namespace {

/// Where a service goes when its last process is gone.
State after_run(const Circumstances& run) {
    if (!run.wanted) {
        return State::stopped;
    }
    if (run.type == ServiceType::oneshot && run.succeeded) {
        return State::done;
    }
    const bool again =
        run.restart == RestartPolicy::always || (run.restart == RestartPolicy::on_failure && !run.succeeded);
    if (again) {
        return State::delayed;
    }
    return run.succeeded ? State::stopped : State::failed;
}

Transition from_rest(State state, Event event) {
    return event == Event::start ? Transition{State::waiting} : Transition{state};
}

Transition from_waiting(Event event) {
    switch (event) {
        case Event::admitted: return {State::starting, Action::spawn};
        case Event::unmet: return {State::skipped};
        case Event::refused: return {State::failed};
        case Event::stop: return {State::stopped};
        default: return {State::waiting};
    }
}

Transition from_starting(Event event, const Circumstances& run) {
    switch (event) {
        case Event::became_ready: return {run.type == ServiceType::oneshot ? State::starting : State::ready};
        case Event::exited: return {State::clearing, Action::clear};
        case Event::spawn_failed: return {after_run(run)};
        case Event::stop:
        case Event::timeout: return {State::stopping, Action::send_stop_signal};
        default: return {State::starting};
    }
}

Transition from_ready(Event event) {
    switch (event) {
        case Event::exited: return {State::clearing, Action::clear};
        case Event::stop: return {State::stopping, Action::send_stop_signal};
        default: return {State::ready};
    }
}

Transition from_stopping(Event event) {
    switch (event) {
        case Event::exited: return {State::clearing, Action::clear};
        case Event::timeout: return {State::stopping, Action::kill_all};
        default: return {State::stopping};
    }
}

Transition from_clearing(Event event, const Circumstances& run) {
    const bool over = event == Event::emptied || event == Event::timeout;
    return {over ? after_run(run) : State::clearing};
}

Transition from_delayed(Event event) {
    switch (event) {
        case Event::timeout:
        case Event::start: return {State::waiting};
        case Event::stop: return {State::stopped};
        default: return {State::delayed};
    }
}

}  // namespace

Transition transition(State state, Event event, const Circumstances& circumstances) {
    switch (state) {
        case State::stopped:
        case State::done:
        case State::skipped:
        case State::failed: return event == Event::stop ? Transition{State::stopped} : from_rest(state, event);
        case State::waiting: return from_waiting(event);
        case State::starting: return from_starting(event, circumstances);
        case State::ready: return from_ready(event);
        case State::stopping: return from_stopping(event);
        case State::clearing: return from_clearing(event, circumstances);
        case State::delayed: return from_delayed(event);
    }
    return {state};
}

bool satisfies(State state) { return state == State::ready || state == State::done || state == State::skipped; }

bool at_rest(State state) {
    return state == State::stopped || state == State::done || state == State::skipped || state == State::failed;
}

std::string_view to_text(State state) {
    static constexpr std::array<std::string_view, 10> kNames{"stopped",  "waiting", "starting", "ready",   "stopping",
                                                             "clearing", "delayed", "done",     "skipped", "failed"};
    return kNames[static_cast<std::size_t>(state)];
}

}  // namespace thole
