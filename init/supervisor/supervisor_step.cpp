// One step of one service: what the table of transition.cpp asks for, done.
#include <algorithm>
#include <cerrno>

#include "supervisor/supervisor.hpp"

namespace thole {

namespace {

constexpr Milliseconds kClearingTime{5'000};
// What arrives at a socket starts its service again at once; one that ends without taking it must not go on for ever.
constexpr int kOnDemandLimit = 20;

/// What the main process leaves may end by itself.
bool is_patient(const Unit& unit, const Service& service) {
    return unit.kill == KillMode::cgroup && !service.force_killed;
}

}  // namespace

/// The commands of the kind that the state runs: pre-start before it has run, post-stop after.
const std::vector<CommandLine>* Supervisor::helpers(UnitIndex index) const {
    const State state = services_[index].state;
    const Unit& unit = graph_.at(index).unit;
    return state == State::waiting || state == State::preparing ? &unit.pre_start : &unit.post_stop;
}

Circumstances Supervisor::circumstances(UnitIndex index) const {
    const Service& service = services_[index];
    const Unit& unit = graph_.at(index).unit;
    const bool succeeded = service.last_exit.code == 0 && service.last_exit.signal == 0 && !service.broken;
    return {.type = unit.type,
            .restart = unit.restart,
            .kill = unit.kill,
            .wanted = service.wanted,
            .succeeded = succeeded,
            .triggered = unit.triggered(),
            .activated = service.activated,
            .helper_left = service.helper < helpers(index)->size(),
            .remain = unit.remain,
            .force_killed = service.force_killed,
            .starved = service.starved,
            .limited = limited(index)};
}

void Supervisor::apply(UnitIndex index, Event event) {
    const State before = services_[index].state;
    const Transition step = transition(before, event, circumstances(index));
    if (step.next != before) {
        enter(index, step.next);
    }
    run(index, step.action);
}

void Supervisor::enter(UnitIndex index, State next) {
    Service& service = services_[index];
    const Unit& unit = graph_.at(index).unit;
    const State before = service.state;
    const Instant now = platform_.now();
    touch(index);
    busy_ += (at_rest(next) ? 0 : 1) - (at_rest(before) ? 0 : 1);
    service.state = next;
    service.since = now;
    if (next == State::preparing || (next == State::starting && before == State::waiting)) {
        begin_run(service, now);
        service.watchdog = unit.watchdog;
        count_start(index, now);
    }
    if (next == State::ready || next == State::done) {
        service.took = now - service.started;
        service.reason.clear();
    } else if (next == State::delayed) {
        delay(index, now);
    } else if (next == State::waiting || next == State::finishing || next == State::clearing) {
        service.helper = 0;
    }
    if (next == State::idle || next == State::done) {
        service.activated = false;
        service.delay = Milliseconds(0);
    }
    if (at_rest(next)) {
        service.status.clear();
    }
    if (next == State::failed && unit.restart != RestartPolicy::never && limited(index)) {
        service.reason += concat("; not started again: ", static_cast<std::int64_t>(service.starts_in_window),
                                 " starts within ", duration_text(unit.start_limit_interval));
    }
    const bool goes_on = (before == State::preparing && next == State::starting) ||
                         (before == State::stopping && next == State::clearing && is_patient(unit, service));
    if (!goes_on) {
        set_deadline(service, deadline_of(index, now));
    }
    platform_.changed(index, before);
}

void Supervisor::begin_run(Service& service, Instant now) {
    service.broken = false;
    service.starved = false;
    service.force_killed = false;
    service.ran = true;
    service.last_exit = {};
    service.reason.clear();
    service.status.clear();
    service.held_by.reset();
    service.took.reset();
    service.started = now;
}

void Supervisor::count_start(UnitIndex index, Instant now) {
    Service& service = services_[index];
    if (now - service.window > graph_.at(index).unit.start_limit_interval) {
        service.window = now;
        service.starts_in_window = 0;
    }
    ++service.starts_in_window;
}

bool Supervisor::limited(UnitIndex index) const {
    const Unit& unit = graph_.at(index).unit;
    const Service& service = services_[index];
    const int most = unit.start_limit_count == 0 && unit.on_demand ? kOnDemandLimit : unit.start_limit_count;
    return most > 0 && service.starts_in_window >= most && service.since - service.window <= unit.start_limit_interval;
}

void Supervisor::delay(UnitIndex index, Instant now) {
    Service& service = services_[index];
    const Unit& unit = graph_.at(index).unit;
    const bool fresh = service.delay.count() == 0 || (service.took && now - service.started >= unit.restart_reset);
    service.delay = fresh ? unit.restart_delay : std::min(service.delay * 2, unit.restart_delay_max);
    ++service.restarts;
    if (unit.restart == RestartPolicy::never) {
        service.activated = false;  // only its timer or its socket starts it again
    }
}

/// The deadline that a state brings with it.
std::optional<Instant> Supervisor::deadline_of(UnitIndex index, Instant now) {
    const Unit& unit = graph_.at(index).unit;
    const Service& service = services_[index];
    const auto after = [&](Milliseconds span) { return span.count() == 0 ? std::nullopt : std::optional(now + span); };
    switch (service.state) {
        case State::preparing:
        case State::starting: return after(unit.readiness_timeout);
        case State::ready: return after(service.watchdog);
        case State::finishing:
        case State::stopping: return now + unit.stop_timeout;
        case State::clearing: return now + (is_patient(unit, service) ? unit.stop_timeout : kClearingTime);
        case State::delayed: return now + service.delay;
        case State::idle: return next_trigger(index, now);
        default: return std::nullopt;
    }
}

std::optional<Instant> Supervisor::next_trigger(UnitIndex index, Instant now) {
    const Unit& unit = graph_.at(index).unit;
    if (!unit.timer) {
        return std::nullopt;
    }
    Milliseconds wait = unit.timer->every;
    if (unit.timer->calendar) {
        const std::int64_t wall = platform_.wall_seconds();
        const auto next = next_after(*unit.timer->calendar, wall);
        if (!next) {
            return std::nullopt;
        }
        wait = Milliseconds((*next - wall) * 1000);
    }
    const std::int64_t jitter = unit.timer->jitter.count();
    return now + wait + Milliseconds(jitter > 0 ? platform_.random(jitter) : 0);
}

void Supervisor::run(UnitIndex index, Action action) {
    switch (action) {
        case Action::none: return;
        case Action::arm: run_arm(index); return;
        case Action::run_helper: run_helper(index); return;
        case Action::spawn: run_spawn(index); return;
        case Action::adopt: platform_.adopt(index); return;
        case Action::abort: platform_.send_signal(index, 6); return;  // SIGABRT
        case Action::kill_all: run_kill(index); return;
        case Action::clear: platform_.clear(index); return;
        case Action::send_stop_signal:
            if (!platform_.send_stop_signal(index)) {
                apply(index, Event::exited);
            }
            return;
    }
}

void Supervisor::spawn_failed(UnitIndex index, const Error& error) {
    Service& service = services_[index];
    if (service.state == State::finishing) {
        service.reason += concat(service.reason.empty() ? "" : "; ", error.message);
        apply(index, Event::helper_done);
        return;
    }
    service.last_exit = {127, 0, false};
    service.starved = error.code == EAGAIN || error.code == ENOMEM;
    service.reason = error.message;
    apply(index, Event::spawn_failed);
}

void Supervisor::run_arm(UnitIndex index) {
    if (auto armed = platform_.arm(index); !armed) {
        spawn_failed(index, armed.error());
    }
}

void Supervisor::run_helper(UnitIndex index) {
    const CommandLine& command = (*helpers(index))[services_[index].helper++];
    if (auto started = platform_.run_helper(index, command); !started) {
        spawn_failed(index, started.error());
    }
}

void Supervisor::run_spawn(UnitIndex index) {
    if (auto spawned = platform_.spawn(index); !spawned) {
        spawn_failed(index, spawned.error());
    }
}

void Supervisor::run_kill(UnitIndex index) {
    Service& service = services_[index];
    // The second time comes only for a process that SIGKILL does not end; it is let go of as if it had exited.
    if (service.force_killed && service.state == State::stopping) {
        service.last_exit = {0, 9, false};
        apply(index, Event::exited);
        return;
    }
    service.force_killed = true;
    if (service.state == State::stopping || service.state == State::clearing) {
        set_deadline(service, platform_.now() + kClearingTime);
    }
    platform_.kill_all(index);
}

}  // namespace thole
