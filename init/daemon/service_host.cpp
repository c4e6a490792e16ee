#include "daemon/service_host.hpp"

#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <ctime>

#include "os/file.hpp"

namespace thole {

namespace {

constexpr int kMostLastWords = 16;

}  // namespace

ServiceHost::ServiceHost(EventLoop& loop, Console& console, LogChannel& logs, const Booted& booted)
    : loop_(loop),
      console_(console),
      logs_(logs),
      config_(booted.config),
      in_container_(booted.in_container),
      has_cgroups_(booted.has_cgroups) {}

void ServiceHost::attach(Supervisor& supervisor, StateListener& listener) {
    supervisor_ = &supervisor;
    listener_ = &listener;
    running_.resize(supervisor.graph().size());
}

Cgroup ServiceHost::cgroup_of(UnitIndex index) const {
    return Cgroup(concat("services/", supervisor_->graph().at(index).unit.name));
}

Instant ServiceHost::now() { return thole::now(); }

std::int64_t ServiceHost::wall_seconds() { return ::time(nullptr); }

std::int64_t ServiceHost::random(std::int64_t limit) {
    std::uint64_t number = 0;
    [[maybe_unused]] const auto filled = ::getrandom(&number, sizeof number, GRND_NONBLOCK);
    return static_cast<std::int64_t>(number % static_cast<std::uint64_t>(limit));
}

void ServiceHost::reindexed(std::span<const std::optional<UnitIndex>> former) {
    std::vector<std::optional<UnitIndex>> places(running_.size());
    std::vector<Running> old = std::exchange(running_, std::vector<Running>(former.size()));
    for (UnitIndex index = 0; index < former.size(); ++index) {
        if (!former[index]) {
            continue;
        }
        places[*former[index]] = index;
        running_[index] = std::move(old[*former[index]]);
        for (const auto& watch : running_[index].watches) {
            watch->index = index;
        }
    }
    pids_.reindex(places);
}

// -- conditions -------------------------------------------------------------------------------------------------------

namespace {

bool has_kernel_argument(std::string_view wanted) {
    const std::string line = read_file("/proc/cmdline").value_or("");
    for (const auto word : split_words(line)) {
        if (word == wanted || word.substr(0, word.find('=')) == wanted) {
            return true;
        }
    }
    return false;
}

bool has_role(const NodeConfig& config, std::string_view wanted) {
    const auto roles = config.list("node.roles");
    return std::ranges::any_of(split_words(wanted),
                               [&](std::string_view role) { return std::ranges::count(roles, role) > 0; });
}

bool key_holds(const NodeConfig& config, std::string_view subject) {
    const auto equals = subject.find('=');
    const auto key = subject.substr(0, equals);
    const auto value = config.text(key);
    if (equals == std::string_view::npos) {
        return !value.empty() && value != "no";
    }
    const auto wanted = subject.substr(equals + 1);
    return value == wanted || std::ranges::count(config.list(key), wanted) > 0;
}

}  // namespace

bool ServiceHost::holds(const Condition& condition) {
    switch (condition.kind) {
        case Condition::Kind::path: return path_exists(condition.subject);
        case Condition::Kind::key: return key_holds(config_, condition.subject);
        case Condition::Kind::kernel_argument: return has_kernel_argument(condition.subject);
        case Condition::Kind::container: return in_container_;
        case Condition::Kind::role: return has_role(config_, condition.subject);
    }
    return false;
}

// -- the end of processes ---------------------------------------------------------------------------------------------

bool ServiceHost::send_stop_signal(UnitIndex index) {
    const Running& running = running_[index];
    const Unit& unit = supervisor_->graph().at(index).unit;
    const bool all = unit.kill == KillMode::cgroup && running.has_cgroup;
    if (all) {
        signal_cgroup(cgroup_of(index), running.process, unit.stop_signal);
    }
    if (!running.process) {
        return false;
    }
    if (!all) {
        signal_process(running.process, unit.stop_signal);
        signal_process(running.process, SIGCONT);
    }
    return true;
}

void ServiceHost::send_signal(UnitIndex index, int signal) { signal_process(running_[index].process, signal); }

void ServiceHost::kill_all(UnitIndex index) {
    const bool whole = supervisor_->graph().at(index).unit.kill != KillMode::process;
    if (!whole || !kill_cgroup(index)) {
        signal_process(running_[index].process, SIGKILL);
    }
}

bool ServiceHost::kill_cgroup(UnitIndex index) {
    Running& running = running_[index];
    if (!running.has_cgroup) {
        return false;
    }
    running.cgroup_was_killed = true;
    return cgroup_of(index).kill().has_value();
}

void ServiceHost::clear(UnitIndex index) {
    Running& running = running_[index];
    const KillMode mode = supervisor_->graph().at(index).unit.kill;
    end_watches(index);
    forget_process(running);
    const Cgroup cgroup = cgroup_of(index);
    if (mode == KillMode::process || !running.has_cgroup || !cgroup.populated()) {
        emptied(index);
        return;
    }
    if (mode == KillMode::cgroup && !supervisor_->service(index).force_killed) {
        signal_cgroup(cgroup, running.process, supervisor_->graph().at(index).unit.stop_signal);
    } else {
        (void)kill_cgroup(index);
    }
    if (auto events = cgroup.open_events()) {
        (void)watch(index, WatchKind::cgroup_events, std::move(*events), EPOLLPRI);
    }
    on_cgroup_event(index);  // it may have emptied before it was watched
}

/// A service that is started again finds its cgroup as it was, but for one that was killed: some kernels (6.18) kill
/// whatever is cloned into it from then on.
void ServiceHost::emptied(UnitIndex index) {
    if (running_[index].cgroup_was_killed) {
        remove_cgroup(index);
    }
    supervisor_->on_emptied(index);
}

/// Also what the service made below it.
void ServiceHost::remove_cgroup(UnitIndex index) {
    Running& running = running_[index];
    if (running.has_cgroup) {
        remove_cgroup_tree(cgroup_of(index).path());
        running.has_cgroup = path_exists(cgroup_of(index).path());
        running.cgroup_was_killed = running.has_cgroup && running.cgroup_was_killed;
    }
}

void ServiceHost::on_child(pid_t pid, int code, int status) {
    launcher_.ended(pid);
    hear_starts();  // a process that could not run its program ends as well
    const auto index = pids_.find(pid);
    if (!index) {
        return;
    }
    Running& running = running_[*index];
    if (running.asking && running.asking->pid == pid) {
        pids_.remove(pid);
        running.asking->pid = -1;
        if (code == CLD_EXITED && status == 0) {
            supervisor_->on_ready(*index);
        } else {
            running.asking->next = now() + running.asking->interval;
        }
        return;
    }
    main_ended(*index, code, status);
}

void ServiceHost::main_ended(UnitIndex index, int code, int status) {
    Running& running = running_[index];
    const pid_t pid = running.process.pid;
    // What it said before it went counts.
    for (int datagrams = 0; datagrams < kMostLastWords && notification_waits(index); ++datagrams) {
        on_notification(index);
    }
    if (running.process.pid != pid) {
        return;  // it has named another main process
    }
    const bool exited = code == CLD_EXITED;
    const bool starved =
        running.has_cgroup && status == SIGKILL && !exited && cgroup_of(index).oom_kills() > running.oom_kills_before;
    forget_process(running);
    supervisor_->on_exited(index, ExitStatus{exited ? status : 0, exited ? 0 : status, starved});
}

void ServiceHost::forget_process(Running& running) {
    pids_.remove(running.process.pid);
    running.process = Process{};
}

// -- what people see --------------------------------------------------------------------------------------------------

void ServiceHost::changed(UnitIndex index, State before) {
    const Service& service = supervisor_->service(index);
    const std::string& name = supervisor_->graph().at(index).unit.name;
    const std::string column = concat(name, std::string(name.size() < 28 ? 28 - name.size() : 1, ' '));
    switch (service.state) {
        case State::ready:
        case State::done:
            console_.line(concat(service.state == State::ready ? "ready    " : "done     ", column,
                                 duration_text(service.took.value_or(Milliseconds(0)))));
            end_asking(running_[index]);
            break;
        case State::delayed:
            console_.line(concat("restart  ", column, service.reason, "; again in ", duration_text(service.delay)));
            logs_.show_tail(name);
            break;
        case State::failed:
            console_.line(concat("failed   ", column, service.reason));
            logs_.show_tail(name);
            break;
        case State::stopped: console_.line(concat("stopped  ", column)); break;
        default: break;
    }
    if (at_rest(service.state)) {
        remove_cgroup(index);
    }
    if (service.state == State::stopped || service.state == State::failed) {
        end_watch(index, WatchKind::listener);
        running_[index].listeners.clear();
    }
    listener_->on_state(index, before);
}

}  // namespace thole
