#include "daemon/service_host.hpp"

#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>

#include "os/file.hpp"

namespace thole {

namespace {

constexpr Milliseconds kFirstProbe{20};
constexpr Milliseconds kSlowestProbe{500};
constexpr std::string_view kNotifyDirectory = "/run/thole/notify";

void signal_process(const Process& process, int number) {
    if (process.pidfd) {
        ::syscall(SYS_pidfd_send_signal, process.pidfd.get(), number, nullptr, 0);
    } else if (process.pid > 0) {
        ::kill(process.pid, number);  // not reaped yet, so the number is still its own
    }
}

std::string cgroup_name(const Unit& unit) { return concat("services/", unit.name); }

Status read_environment_file(const std::string& path, std::vector<std::string>& environment) {
    const auto text = read_file(path);
    if (!text) {
        return std::unexpected(text.error());
    }
    for (const auto line : split(*text, '\n')) {
        if (!line.empty() && line[0] != '#' && line.find('=') != std::string_view::npos) {
            environment.emplace_back(line);
        }
    }
    return {};
}

}  // namespace

ServiceHost::ServiceHost(EventLoop& loop, Console& console, LogChannel& logs, const NodeConfig& config)
    : loop_(loop), console_(console), logs_(logs), config_(config) {}

void ServiceHost::attach(Supervisor& supervisor) {
    supervisor_ = &supervisor;
    for (UnitIndex index = 0; index < supervisor.graph().size(); ++index) {
        running_.push_back(std::make_unique<Running>(*this, index));
    }
}

Instant ServiceHost::now() { return thole::now(); }

pid_t ServiceHost::pid_of(UnitIndex index) const { return running_[index]->process.pid; }

bool ServiceHost::holds(const Condition& condition) {
    if (condition.kind == Condition::Kind::path) {
        return path_exists(condition.subject);
    }
    const auto equals = condition.subject.find('=');
    const auto value = config_.text(condition.subject.substr(0, equals));
    if (equals != std::string::npos) {
        return value == condition.subject.substr(equals + 1);
    }
    return !value.empty() && value != "no";
}

Result<std::vector<std::string>> ServiceHost::environment(const Unit& unit) const {
    std::vector<std::string> all{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8"};
    for (const std::string& file : unit.environment_files) {
        if (auto read = read_environment_file(file, all); !read) {
            return std::unexpected(read.error());
        }
    }
    for (const std::string& entry : unit.environment) {
        auto expanded = expand_environment(entry, all);
        if (!expanded) {
            return std::unexpected(expanded.error());
        }
        all.push_back(std::move(*expanded));
    }
    return all;
}

Status ServiceHost::prepare_cgroup(Running& running, const Unit& unit) {
    if (!path_exists(concat(kCgroupRoot, "/cgroup.controllers"))) {
        running.cgroup.reset();
        return {};  // boot has said that there is no cgroup2; services run without cgroups of their own
    }
    auto cgroup = Cgroup::make(cgroup_name(unit));
    if (!cgroup) {
        return std::unexpected(cgroup.error());
    }
    for (const CgroupSetting& setting : unit.cgroup) {
        if (auto set = cgroup->set(setting.file, setting.value); !set) {
            return set;
        }
    }
    if (unit.delegate) {
        (void)cgroup->delegate();  // refused while processes of an earlier run live in it: then it was done before
    }
    running.oom_kills_before = cgroup->oom_kills();
    running.cgroup = std::move(*cgroup);
    return {};
}

Status ServiceHost::prepare_readiness(Running& running, const Unit& unit) {
    running.probe.reset();
    running.next_probe.reset();
    running.probe_interval = kFirstProbe;
    if (unit.readiness == Readiness::started) {
        return {};
    }
    if (unit.readiness == Readiness::notify) {
        if (auto made = make_directories(std::string(kNotifyDirectory)); !made) {
            return made;
        }
        const std::string path = concat(kNotifyDirectory, "/", unit.name);
        auto socket = NotifySocket::bind(path);
        if (!socket) {
            return std::unexpected(socket.error());
        }
        running.notify = std::move(*socket);
        running.plan.environment.push_back(concat("NOTIFY_SOCKET=", path));
        return loop_.add(running.notify->fd(), EPOLLIN, running.notified);
    }
    if (unit.readiness != Readiness::exec) {
        const auto address = unit.readiness == Readiness::tcp ? parse_tcp_address(unit.readiness_target)
                                                              : unix_address(unit.readiness_target);
        if (!address) {
            return std::unexpected(address.error());
        }
        running.probe.emplace(*address);
    }
    running.next_probe = now() + kFirstProbe;
    return {};
}

Status ServiceHost::spawn(UnitIndex index) {
    Running& running = *running_[index];
    const Unit& unit = supervisor_->graph().at(index).unit;
    end_watch(running);
    running.plan = SpawnPlan{};
    auto variables = environment(unit);
    if (!variables) {
        return std::unexpected(variables.error());
    }
    running.plan.environment = std::move(*variables);
    if (auto prepared = prepare_cgroup(running, unit); !prepared) {
        return prepared;
    }
    if (auto prepared = prepare_readiness(running, unit); !prepared) {
        return prepared;
    }
    // After readiness is prepared: a command line may hand NOTIFY_SOCKET on.
    for (const std::string& argument : unit.command) {
        auto expanded = expand_environment(argument, running.plan.environment);
        if (!expanded) {
            return std::unexpected(expanded.error());
        }
        running.plan.command.push_back(std::move(*expanded));
    }
    running.plan.working_directory = unit.working_directory;
    running.plan.user = unit.user;
    running.plan.cgroup_directory = running.cgroup ? running.cgroup->directory() : -1;
    running.plan.standard_output = logs_.output_of(unit.name);
    running.plan.oom_score_adjust = unit.oom_score_adjust;
    running.plan.nice = unit.nice;
    auto process = thole::spawn(running.plan);
    if (!process) {
        end_watch(running);
        return std::unexpected(process.error());
    }
    running.process = std::move(*process);
    return {};
}

void ServiceHost::send_stop_signal(UnitIndex index) {
    const Running& running = *running_[index];
    signal_process(running.process, supervisor_->graph().at(index).unit.stop_signal);
    signal_process(running.process, SIGCONT);
}

void ServiceHost::kill_all(UnitIndex index) {
    Running& running = *running_[index];
    const bool whole = supervisor_->graph().at(index).unit.kill == KillMode::cgroup;
    if (!whole || !running.cgroup || !running.cgroup->kill()) {
        signal_process(running.process, SIGKILL);
    }
}

void ServiceHost::clear(UnitIndex index) {
    Running& running = *running_[index];
    const Unit& unit = supervisor_->graph().at(index).unit;
    end_watch(running);
    running.process = Process{};
    if (unit.kill == KillMode::process || !running.cgroup || !running.cgroup->populated()) {
        supervisor_->on_emptied(index);
        return;
    }
    (void)running.cgroup->kill();
    auto events = running.cgroup->open_events();
    if (events && loop_.add(events->get(), EPOLLPRI, running.emptied)) {
        running.cgroup_events = std::move(*events);
    }
    on_cgroup_event(index);  // it may have emptied before it was watched
}

void ServiceHost::on_cgroup_event(UnitIndex index) {
    Running& running = *running_[index];
    if (running.cgroup_events) {
        std::array<char, 256> unused;
        (void)::pread(running.cgroup_events.get(), unused.data(), unused.size(), 0);  // takes the event back
    }
    if (running.cgroup->populated()) {
        return;
    }
    end_watch(running);
    supervisor_->on_emptied(index);
}

void ServiceHost::on_notification(UnitIndex index) {
    Running& running = *running_[index];
    if (!running.notify) {
        return;
    }
    const auto said = running.notify->receive(concat("/", cgroup_name(supervisor_->graph().at(index).unit)));
    if (!said) {
        return;
    }
    if (!said->status.empty()) {
        supervisor_->on_status(index, said->status);
    }
    if (said->ready) {
        supervisor_->on_ready(index);
    }
}

void ServiceHost::on_child(pid_t pid, int code, int status) {
    for (UnitIndex index = 0; index < running_.size(); ++index) {
        Running& running = *running_[index];
        if (running.probe_pid == pid) {
            running.probe_pid = -1;
            if (code == CLD_EXITED && status == 0) {
                supervisor_->on_ready(index);
            } else if (supervisor_->service(index).state == State::starting) {
                running.next_probe = now() + running.probe_interval;
            }
            return;
        }
        if (running.process.pid != pid) {
            continue;
        }
        const bool exited = code == CLD_EXITED;
        const bool starved =
            running.cgroup && status == SIGKILL && !exited && running.cgroup->oom_kills() > running.oom_kills_before;
        if (running.notify) {
            on_notification(index);  // what it said before it went counts
        }
        running.process = Process{};
        supervisor_->on_exited(index, ExitStatus{exited ? status : 0, exited ? 0 : status, starved});
        return;
    }
}

void ServiceHost::on_time() {
    const Instant time = now();
    for (UnitIndex index = 0; index < running_.size(); ++index) {
        const auto due = running_[index]->next_probe;
        if (due && *due <= time) {
            ask_probe(index);
        }
    }
}

/// Asks again and again at growing intervals, until the service answers or is no longer starting.
void ServiceHost::ask_probe(UnitIndex index) {
    Running& running = *running_[index];
    const Unit& unit = supervisor_->graph().at(index).unit;
    running.next_probe.reset();
    if (supervisor_->service(index).state != State::starting) {
        return;
    }
    if (running.probe && running.probe->ask()) {
        supervisor_->on_ready(index);
        return;
    }
    running.probe_interval = std::min(running.probe_interval * 3 / 2, kSlowestProbe);
    if (running.probe) {
        running.next_probe = now() + running.probe_interval;
        return;
    }
    auto command = split_command(unit.readiness_target);
    SpawnPlan plan = running.plan;
    if (command) {
        plan.command = std::move(*command);
    }
    if (const auto process = thole::spawn(plan)) {
        running.probe_pid = process->pid;
    } else {
        running.next_probe = now() + kSlowestProbe;
        supervisor_->on_status(index, process.error().message);
    }
}

std::optional<Instant> ServiceHost::next_deadline() const {
    std::optional<Instant> next;
    for (const auto& running : running_) {
        if (running->next_probe && (!next || *running->next_probe < *next)) {
            next = running->next_probe;
        }
    }
    return next;
}

void ServiceHost::end_watch(Running& running) {
    if (running.notify) {
        loop_.remove(running.notify->fd());
        running.notify.reset();
    }
    if (running.cgroup_events) {
        loop_.remove(running.cgroup_events.get());
        running.cgroup_events.reset();
    }
    end_probe(running);
}

void ServiceHost::end_probe(Running& running) {
    running.probe.reset();
    running.next_probe.reset();
    if (running.probe_pid > 0) {
        ::kill(running.probe_pid, SIGKILL);  // a child of ours that is not reaped yet
        running.probe_pid = -1;
    }
}

void ServiceHost::changed(UnitIndex index, State /*before*/) {
    const Service& service = supervisor_->service(index);
    const std::string& name = supervisor_->graph().at(index).unit.name;
    const std::string column = concat(name, std::string(name.size() < 28 ? 28 - name.size() : 1, ' '));
    switch (service.state) {
        case State::ready:
        case State::done:
            console_.line(concat(service.state == State::ready ? "ready    " : "done     ", column,
                                 duration_text(service.took.value_or(Milliseconds(0)))));
            end_probe(*running_[index]);
            return;
        case State::delayed:
            console_.line(concat("restart  ", column, service.reason, "; again in ", duration_text(service.delay)));
            logs_.show_tail(name);
            return;
        case State::failed:
            console_.line(concat("failed   ", column, service.reason));
            logs_.show_tail(name);
            return;
        case State::stopped: console_.line(concat("stopped  ", column)); return;
        default: return;
    }
}

}  // namespace thole
