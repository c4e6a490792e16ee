#include "supervisor/supervisor.hpp"

#include <algorithm>
#include <cstring>

namespace thole {

namespace {

constexpr Milliseconds kHealthy{60'000};
constexpr Milliseconds kClearingTime{5'000};

bool on_its_way(State state) { return state == State::waiting || state == State::starting; }

Circumstances circumstances(const Unit& unit, const Service& service) {
    const bool succeeded = service.last_exit.code == 0 && service.last_exit.signal == 0 && !service.overdue;
    return {unit.type, unit.restart, service.wanted, succeeded};
}

/// The deadline that a state brings with it.
std::optional<Instant> deadline_of(const Unit& unit, const Service& service, State state, Instant now) {
    switch (state) {
        case State::starting:
            return unit.readiness_timeout.count() == 0 ? std::nullopt : std::optional(now + unit.readiness_timeout);
        case State::stopping: return now + unit.stop_timeout;
        case State::clearing: return now + kClearingTime;
        case State::delayed: return now + service.delay;
        default: return std::nullopt;
    }
}

}  // namespace

std::string to_text(const ExitStatus& status) {
    if (status.signal == 0) {
        return concat("exit status ", status.code);
    }
    return concat("killed by signal ", status.signal, " (", ::strsignal(status.signal), ")",
                  status.out_of_memory ? ", out of memory" : "");
}

Supervisor::Supervisor(Graph graph, Platform& platform)
    : graph_(std::move(graph)), platform_(platform), services_(graph_.size()) {}

void Supervisor::start_all() {
    for (UnitIndex index = 0; index < services_.size(); ++index) {
        want(index);
    }
    settle();
}

void Supervisor::start(UnitIndex index) {
    want(index);
    settle();
}

void Supervisor::stop(UnitIndex index) {
    give_up(index);
    settle();
}

void Supervisor::restart(UnitIndex index) {
    if (shutting_down_) {
        return;
    }
    Service& service = services_[index];
    service.wanted = false;
    service.restart_asked = true;
    settle();
}

void Supervisor::begin_shutdown() {
    shutting_down_ = true;
    for (Service& service : services_) {
        service.wanted = false;
        service.restart_asked = false;
    }
    settle();
}

/// Marks the unit and all that it needs as wanted, and lets those at rest start.
void Supervisor::want(UnitIndex index) {
    Service& service = services_[index];
    if (shutting_down_ || (service.wanted && !at_rest(service.state))) {
        return;
    }
    service.wanted = true;
    for (const UnitIndex other : graph_.at(index).required) {
        if (!satisfies(services_[other].state)) {
            want(other);
        }
    }
    for (const UnitIndex other : graph_.at(index).wanted) {
        if (!satisfies(services_[other].state)) {
            want(other);
        }
    }
    apply(index, Event::start);
}

void Supervisor::give_up(UnitIndex index) {
    Service& service = services_[index];
    if (!service.wanted && !service.restart_asked) {
        return;
    }
    service.wanted = false;
    service.restart_asked = false;
    for (const UnitIndex other : graph_.at(index).dependents) {
        give_up(other);
    }
}

void Supervisor::on_exited(UnitIndex index, const ExitStatus& status) {
    Service& service = services_[index];
    service.last_exit = status;
    if (!service.overdue) {
        service.reason = to_text(status);
    }
    apply(index, Event::exited);
    settle();
}

void Supervisor::on_emptied(UnitIndex index) {
    apply(index, Event::emptied);
    settle();
}

void Supervisor::on_ready(UnitIndex index) {
    apply(index, Event::became_ready);
    settle();
}

void Supervisor::on_status(UnitIndex index, std::string text) {
    const State state = services_[index].state;
    if (state == State::starting || state == State::ready) {
        services_[index].reason = std::move(text);
    }
}

void Supervisor::on_time() {
    const Instant now = platform_.now();
    for (UnitIndex index = 0; index < services_.size(); ++index) {
        Service& service = services_[index];
        if (!service.deadline || *service.deadline > now) {
            continue;
        }
        service.deadline.reset();
        if (service.state == State::starting) {
            service.overdue = true;
            service.reason = concat("not ready within ", duration_text(graph_.at(index).unit.readiness_timeout));
        } else if (service.state == State::clearing) {
            service.reason += "; processes of it are left that SIGKILL did not end";
        }
        apply(index, Event::timeout);
    }
    settle();
}

std::optional<Instant> Supervisor::next_deadline() const {
    std::optional<Instant> next;
    for (const Service& service : services_) {
        if (service.deadline && (!next || *service.deadline < *next)) {
            next = service.deadline;
        }
    }
    return next;
}

bool Supervisor::all_at_rest() const {
    return std::ranges::all_of(services_, [](const Service& service) { return at_rest(service.state); });
}

void Supervisor::apply(UnitIndex index, Event event) {
    Service& service = services_[index];
    const Transition step = transition(service.state, event, circumstances(graph_.at(index).unit, service));
    if (step.next != service.state) {
        enter(index, step.next);
    }
    run(index, step.action);
}

void Supervisor::enter(UnitIndex index, State next) {
    Service& service = services_[index];
    const Unit& unit = graph_.at(index).unit;
    const State before = service.state;
    const Instant now = platform_.now();
    if (next == State::starting) {
        service.overdue = false;
        service.force_killed = false;
        service.reason.clear();
        service.took.reset();
        service.started = now;
    } else if (next == State::ready || next == State::done) {
        service.took = now - service.started;
        service.reason.clear();
    } else if (next == State::delayed) {
        const bool fresh = service.delay.count() == 0 || (service.took && now - service.started >= kHealthy);
        service.delay = fresh ? unit.restart_delay : std::min(service.delay * 2, unit.restart_delay_max);
        ++service.restarts;
    }
    service.state = next;
    service.since = now;
    service.deadline = deadline_of(unit, service, next, now);
    platform_.changed(index, before);
}

void Supervisor::run(UnitIndex index, Action action) {
    Service& service = services_[index];
    switch (action) {
        case Action::none: return;
        case Action::send_stop_signal: platform_.send_stop_signal(index); return;
        case Action::kill_all:
            // The second time comes only for a process that SIGKILL does not end; it is let go of as if it had exited.
            if (service.force_killed) {
                service.last_exit = {0, 9, false};
                apply(index, Event::exited);
                return;
            }
            service.force_killed = true;
            service.deadline = platform_.now() + kClearingTime;
            platform_.kill_all(index);
            return;
        case Action::clear: platform_.clear(index); return;
        case Action::spawn: break;
    }
    if (auto spawned = platform_.spawn(index); !spawned) {
        service.last_exit = {127, 0, false};
        service.reason = spawned.error().message;
        apply(index, Event::spawn_failed);
        return;
    }
    if (graph_.at(index).unit.readiness == Readiness::started) {
        apply(index, Event::became_ready);
    }
}

/// Lets every service take the steps that others' states now allow, until nothing moves. Platform calls may come back
/// in here; the outermost call does the work.
void Supervisor::settle() {
    if (settling_) {
        return;
    }
    settling_ = true;
    bool moved = true;
    while (moved) {
        moved = false;
        for (UnitIndex index = 0; index < services_.size(); ++index) {
            moved |= settle_unwanted(index) || revive_restarted(index) || settle_waiting(index);
        }
    }
    settling_ = false;
}

bool Supervisor::settle_unwanted(UnitIndex index) {
    const Service& service = services_[index];
    if (service.wanted || service.state == State::stopped || service.state == State::stopping ||
        service.state == State::clearing) {
        return false;
    }
    const GraphNode& node = graph_.at(index);
    const auto& behind = shutting_down_ ? node.followers : node.dependents;
    const bool held = !service.restart_asked && std::ranges::any_of(behind, [&](UnitIndex other) {
        return !services_[other].wanted && !at_rest(services_[other].state);
    });
    if (held) {
        return false;
    }
    apply(index, Event::stop);
    return true;
}

bool Supervisor::revive_restarted(UnitIndex index) {
    Service& service = services_[index];
    if (!service.restart_asked || service.state != State::stopped) {
        return false;
    }
    service.restart_asked = false;
    service.delay = Milliseconds(0);
    want(index);
    return true;
}

bool Supervisor::settle_waiting(UnitIndex index) {
    Service& service = services_[index];
    if (service.state != State::waiting || !service.wanted) {
        return false;
    }
    if (auto reason = refusal(index)) {
        service.reason = std::move(*reason);
        apply(index, Event::refused);
        return true;
    }
    if (must_wait(index)) {
        return false;
    }
    for (const Condition& condition : graph_.at(index).unit.conditions) {
        if (platform_.holds(condition) == condition.negated) {
            service.reason =
                concat("the condition ", condition.negated ? "!" : "", condition.subject, " does not hold");
            apply(index, Event::unmet);
            return true;
        }
    }
    apply(index, Event::admitted);
    return true;
}

std::optional<std::string> Supervisor::refusal(UnitIndex index) const {
    for (const UnitIndex other : graph_.at(index).required) {
        const Service& service = services_[other];
        if (service.state == State::failed || (service.state == State::stopped && !service.restart_asked)) {
            return concat("it requires ", graph_.at(other).unit.name, ", which is ", to_text(service.state),
                          service.reason.empty() ? "" : ": ", service.reason);
        }
    }
    return std::nullopt;
}

bool Supervisor::must_wait(UnitIndex index) const {
    const GraphNode& node = graph_.at(index);
    const bool needs =
        std::ranges::any_of(node.required, [&](UnitIndex other) { return !satisfies(services_[other].state); });
    return needs || std::ranges::any_of(node.ordered, [&](UnitIndex other) {
               return services_[other].wanted && on_its_way(services_[other].state);
           });
}

}  // namespace thole
