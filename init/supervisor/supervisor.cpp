#include "supervisor/supervisor.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace thole {

namespace {

constexpr Milliseconds kClearingTime{5'000};
// What arrives at a socket starts its service again at once; one that ends without taking it must not go on for ever.
constexpr int kOnDemandLimit = 20;

bool on_its_way(State state) {
    return state == State::waiting || state == State::preparing || state == State::starting;
}

/// What the main process leaves may end by itself.
bool is_patient(const Unit& unit, const Service& service) {
    return unit.kill == KillMode::cgroup && !service.force_killed;
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

// -- what is asked for ------------------------------------------------------------------------------------------------

void Supervisor::start_all() {
    for (UnitIndex index = 0; index < services_.size(); ++index) {
        if (graph_.at(index).unit.enabled && !services_[index].wanted && !has_rival(index)) {
            want(index);
        }
    }
    settle();
}

void Supervisor::start(UnitIndex index) {
    services_[index].activated = true;  // a person's word counts like its timer's
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
    service.activated = true;
    service.wanted = false;
    service.restart_asked = true;
    touch(index);
    settle();
}

Status Supervisor::reload_service(UnitIndex index) {
    const Unit& unit = graph_.at(index).unit;
    if (unit.reload_signal == 0) {
        return failure(concat("the unit '", unit.name, "' has no 'reload-signal'; `thole restart` starts it anew"));
    }
    if (services_[index].state != State::ready) {
        return failure(concat("'", unit.name, "' is ", to_text(services_[index].state), ", not ready"));
    }
    platform_.send_signal(index, unit.reload_signal);
    return {};
}

void Supervisor::begin_shutdown() {
    shutting_down_ = true;
    for (UnitIndex index = 0; index < services_.size(); ++index) {
        services_[index].wanted = false;
        services_[index].restart_asked = false;
        queue(index);
    }
    settle();
}

void Supervisor::want(UnitIndex index) {
    if (shutting_down_ || graph_.at(index).unit.leaving) {
        return;
    }
    services_[index].wanted = true;
    touch(index);
    for (const UnitIndex other : graph_.at(index).conflicts) {
        give_up(other);
    }
    for (const auto* list : {&graph_.at(index).required, &graph_.at(index).wanted}) {
        for (const UnitIndex other : *list) {
            // Each is visited once: after the first visit it is on its way.
            const bool at_work = services_[other].wanted && services_[other].state != State::stopped &&
                                 services_[other].state != State::failed;
            if (!at_work) {
                want(other);
            }
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
    touch(index);
    for (const UnitIndex other : graph_.at(index).dependents) {
        give_up(other);
    }
}

// -- what has happened ------------------------------------------------------------------------------------------------

void Supervisor::on_exited(UnitIndex index, const ExitStatus& status) {
    Service& service = services_[index];
    const bool well = status.code == 0 && status.signal == 0;
    if (service.state == State::finishing) {
        if (!well) {
            service.reason +=
                concat(service.reason.empty() ? "" : "; ", "a post-stop command failed: ", to_text(status));
        }
        apply(index, Event::helper_done);
        settle();
        return;
    }
    service.last_exit = status;
    if (!service.broken) {
        service.reason = to_text(status);
    }
    if (service.state == State::preparing) {
        service.reason = well ? "" : concat("a pre-start command failed: ", to_text(status));
        apply(index, well ? Event::helper_done : Event::helper_failed);
        settle();
        return;
    }
    const Unit& unit = graph_.at(index).unit;
    if (service.state == State::starting && well && unit.type == ServiceType::simple &&
        unit.readiness != Readiness::started) {
        service.broken = true;
        service.reason = "it ended, with status 0, before it was ready";
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

void Supervisor::on_activated(UnitIndex index) {
    services_[index].activated = true;
    apply(index, Event::activated);
    settle();
}

void Supervisor::on_status(UnitIndex index, std::string text) { services_[index].status = std::move(text); }

void Supervisor::on_alive(UnitIndex index) {
    Service& service = services_[index];
    if (service.state == State::ready && service.deadline) {
        set_deadline(service, platform_.now() + service.watchdog);
    }
}

void Supervisor::on_watchdog_time(UnitIndex index, Milliseconds time) {
    Service& service = services_[index];
    service.watchdog = time;
    if (service.state == State::ready) {
        set_deadline(service, deadline_of(index, platform_.now()));
    }
}

void Supervisor::on_unhealthy(UnitIndex index) {
    Service& service = services_[index];
    if (service.state != State::ready) {
        return;
    }
    service.broken = true;
    service.reason = "it said itself that it hangs (WATCHDOG=trigger)";
    apply(index, Event::unhealthy);
    settle();
}

void Supervisor::on_extension(UnitIndex index, Milliseconds time) {
    Service& service = services_[index];
    const bool in_time =
        service.state == State::preparing || service.state == State::starting || service.state == State::stopping;
    if (in_time && service.deadline) {
        set_deadline(service, std::max(*service.deadline, platform_.now() + time));
    }
}

void Supervisor::on_clock_changed() {
    const Instant now = platform_.now();
    for (UnitIndex index = 0; index < services_.size(); ++index) {
        const Unit& unit = graph_.at(index).unit;
        if (services_[index].state == State::idle && unit.timer && unit.timer->calendar) {
            set_deadline(services_[index], next_trigger(index, now));
        }
    }
}

void Supervisor::on_time() {
    const Instant now = platform_.now();
    if (const auto next = next_deadline(); !next || *next > now) {
        return;
    }
    for (UnitIndex index = 0; index < services_.size(); ++index) {
        Service& service = services_[index];
        if (!service.deadline || *service.deadline > now) {
            continue;
        }
        set_deadline(service, std::nullopt);
        const Unit& unit = graph_.at(index).unit;
        Event event = Event::timeout;
        if (service.state == State::starting || service.state == State::preparing) {
            service.broken = true;
            service.reason = concat("not ready within ", duration_text(unit.readiness_timeout));
        } else if (service.state == State::ready) {
            service.broken = true;
            service.reason = concat("it did not say that it is alive within ", duration_text(service.watchdog));
            event = Event::unhealthy;
        } else if (service.state == State::clearing && service.force_killed) {
            service.reason += "; processes of it are left that SIGKILL did not end";
        } else if (service.state == State::idle) {
            service.activated = true;
        }
        apply(index, event);
    }
    settle();
}

/// The soonest of all is looked for again only when it may have gone.
void Supervisor::set_deadline(Service& service, std::optional<Instant> deadline) {
    if (service.deadline == deadline) {
        return;
    }
    soonest_known_ = soonest_known_ && service.deadline != soonest_;
    service.deadline = deadline;
    if (soonest_known_ && deadline && (!soonest_ || *deadline < *soonest_)) {
        soonest_ = deadline;
    }
}

std::optional<Instant> Supervisor::next_deadline() {
    if (soonest_known_) {
        return soonest_;
    }
    soonest_.reset();
    for (const Service& service : services_) {
        if (service.deadline && (!soonest_ || *service.deadline < *soonest_)) {
            soonest_ = service.deadline;
        }
    }
    soonest_known_ = true;
    return soonest_;
}

// -- one step of one service ------------------------------------------------------------------------------------------

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

void Supervisor::begin_run(Service& service, Instant now) const {
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
        return;
    }
    const Unit& unit = graph_.at(index).unit;
    if (unit.readiness == Readiness::started && unit.type != ServiceType::forking) {
        apply(index, Event::became_ready);
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

// -- all services -----------------------------------------------------------------------------------------------------

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

// -- reload -----------------------------------------------------------------------------------------------------------

Result<std::vector<ReloadChange>> Supervisor::reload(std::vector<Unit> units) {
    if (shutting_down_) {
        return failure("the node is shutting down: its units are not read any more");
    }
    std::vector<std::string_view> names;
    for (const Unit& unit : units) {
        names.push_back(unit.name);
    }
    std::vector<Unit> leaving;
    for (UnitIndex index = 0; index < graph_.size(); ++index) {
        const Unit& unit = graph_.at(index).unit;
        const bool gone = std::ranges::find(names, std::string_view(unit.name)) == names.end();
        if (gone && !at_rest(services_[index].state)) {
            leaving.push_back(unit.remainder());
        }
    }
    for (Unit& unit : leaving) {
        units.push_back(std::move(unit));
    }
    auto next = Graph::build(std::move(units));
    if (!next) {
        return std::unexpected(next.error());
    }
    return replace_graph(std::move(*next));
}

std::vector<ReloadChange> Supervisor::replace_graph(Graph next) {
    const Graph old = std::exchange(graph_, std::move(next));
    std::vector<Service> former_services = std::exchange(services_, std::vector<Service>(graph_.size()));
    std::vector<std::optional<UnitIndex>> former(graph_.size());
    std::vector<ReloadChange> changes;
    std::vector<UnitIndex> to_restart;
    std::vector<UnitIndex> to_start;
    for (UnitIndex index = 0; index < graph_.size(); ++index) {
        const Unit& unit = graph_.at(index).unit;
        const auto before = old.find(unit.name);
        if (!before) {
            changes.push_back({ReloadChange::Kind::added, unit.name});
            to_start.push_back(index);
            continue;
        }
        former[index] = *before;
        services_[index] = std::move(former_services[*before]);
        services_[index].held_by.reset();  // an index of the old graph
        if (unit.leaving) {
            services_[index].wanted = false;
            services_[index].restart_asked = false;
        } else if (unit.fingerprint != old.at(*before).unit.fingerprint) {
            changes.push_back({ReloadChange::Kind::changed, unit.name});
            to_restart.push_back(index);
        }
    }
    for (const GraphNode& node : old.nodes()) {
        if (node.unit.leaving) {
            continue;  // said by the reload that removed it
        }
        if (const auto now = graph_.find(node.unit.name); !now || graph_.at(*now).unit.leaving) {
            changes.push_back({ReloadChange::Kind::removed, node.unit.name});
        }
    }
    platform_.reindexed(former);
    soonest_known_ = false;
    queue_.clear();
    for (UnitIndex index = 0; index < services_.size(); ++index) {
        services_[index].queued = false;
        queue(index);
    }
    apply_changes(to_restart, to_start);
    return changes;
}

void Supervisor::apply_changes(std::span<const UnitIndex> to_restart, std::span<const UnitIndex> to_start) {
    for (const UnitIndex index : to_restart) {
        if (services_[index].wanted) {
            services_[index].wanted = false;
            services_[index].restart_asked = true;
            touch(index);
            // A service that waits for its timer waits again; what runs is started again.
            services_[index].activated = services_[index].activated || !at_rest(services_[index].state);
        }
    }
    for (UnitIndex index = 0; index < services_.size(); ++index) {
        give_way(index);
    }
    for (const UnitIndex index : to_start) {
        if (graph_.at(index).unit.enabled && !has_rival(index)) {
            want(index);
        }
    }
    settle();
}

/// Of two that run and have come into conflict, the later by name stops.
void Supervisor::give_way(UnitIndex index) {
    for (const UnitIndex other : graph_.at(index).conflicts) {
        if (other < index && services_[other].wanted && services_[index].wanted) {
            services_[index].reason = concat("it conflicts with ", graph_.at(other).unit.name);
            give_up(index);
        }
    }
}

/// Whether a unit that conflicts with this one is wanted; the reason then says so.
bool Supervisor::has_rival(UnitIndex index) {
    for (const UnitIndex other : graph_.at(index).conflicts) {
        if (services_[other].wanted) {
            services_[index].reason = concat("it conflicts with ", graph_.at(other).unit.name);
            return true;
        }
    }
    return false;
}

}  // namespace thole
