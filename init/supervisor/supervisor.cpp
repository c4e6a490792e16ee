#include "supervisor/supervisor.hpp"

#include <algorithm>
#include <cstring>

namespace thole {

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
            const State state = services_[other].state;
            const bool rests = state == State::stopped || state == State::failed || state == State::skipped;
            if (!services_[other].wanted || rests) {
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

void Supervisor::on_executed(UnitIndex index) {
    const Unit& unit = graph_.at(index).unit;
    if (unit.readiness == Readiness::started && unit.type != ServiceType::forking) {
        apply(index, Event::became_ready);
        settle();
    }
}

void Supervisor::on_start_failed(UnitIndex index, const Error& error) {
    spawn_failed(index, error);
    settle();
}

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

}  // namespace thole
