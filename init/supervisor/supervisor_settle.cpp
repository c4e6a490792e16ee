// What concerns several services: which may start or stop now that others have moved.
#include <algorithm>

#include "supervisor/supervisor.hpp"

namespace thole {

namespace {

bool on_its_way(State state) {
    return state == State::waiting || state == State::preparing || state == State::starting;
}

}  // namespace

/// This unit, or one that it is tied to, may have a step to take.
void Supervisor::touch(UnitIndex index) {
    const GraphNode& node = graph_.at(index);
    queue(index);
    for (const auto* list : {&node.ordered, &node.followers, &node.conflicts}) {
        for (const UnitIndex other : *list) {
            queue(other);
        }
    }
}

void Supervisor::queue(UnitIndex index) {
    if (!services_[index].queued) {
        services_[index].queued = true;
        queue_.push_back(index);
    }
}

/// Lets the services that were touched take the steps that others' states now allow, until nothing moves. Platform
/// calls may come back in here; the outermost call does the work.
void Supervisor::settle() {
    if (settling_) {
        return;
    }
    settling_ = true;
    for (std::size_t at = 0; at < queue_.size(); ++at) {
        const UnitIndex index = queue_[at];
        services_[index].queued = false;
        if (settle_unwanted(index) || revive_restarted(index) || settle_waiting(index)) {
            touch(index);
        }
    }
    queue_.clear();
    settling_ = false;
}

bool Supervisor::settle_unwanted(UnitIndex index) {
    const Service& service = services_[index];
    const State state = service.state;
    if (service.wanted || state == State::stopped || state == State::stopping || state == State::clearing ||
        state == State::finishing) {
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
    if (refuse(index)) {
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

/// A required unit that has failed or was stopped fails this one, which says so.
bool Supervisor::refuse(UnitIndex index) {
    for (const UnitIndex other : graph_.at(index).required) {
        const Service& required = services_[other];
        if (required.state != State::failed && (required.state != State::stopped || required.restart_asked)) {
            continue;
        }
        Service& service = services_[index];
        service.held_by = required.held_by ? required.held_by : other;
        service.reason = concat("it requires ", graph_.at(other).unit.name, ", which is ", to_text(required.state),
                                required.reason.empty() ? "" : ": ", required.reason);
        apply(index, Event::refused);
        return true;
    }
    return false;
}

bool Supervisor::must_wait(UnitIndex index) const {
    const GraphNode& node = graph_.at(index);
    const auto unsatisfied = [&](UnitIndex other) { return !satisfies(services_[other].state); };
    const auto arriving = [&](UnitIndex other) {
        return services_[other].wanted && on_its_way(services_[other].state);
    };
    const auto running = [&](UnitIndex other) { return !at_rest(services_[other].state); };
    return std::ranges::any_of(node.required, unsatisfied) || std::ranges::any_of(node.ordered, arriving) ||
           std::ranges::any_of(node.conflicts, running);
}

}  // namespace thole
