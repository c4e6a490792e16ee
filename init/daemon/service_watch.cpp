// What services say while they run: notifications, readiness, main processes that PID 1 did not start itself, and the
// answers to its probes.
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>

#include "daemon/service_host.hpp"
#include "os/file.hpp"
#include "os/notify.hpp"

namespace thole {

namespace {

constexpr Milliseconds kSlowestProbe{500};
constexpr Milliseconds kNextLook{50};  // at a start that takes long; nothing tells of an exec

}  // namespace

Status ServiceHost::watch(UnitIndex index, WatchKind kind, Fd fd, std::uint32_t events) {
    auto added = std::make_unique<Watch>(*this, index, kind, std::move(fd));
    if (auto watched = loop_.add(added->fd.get(), events, *added); !watched) {
        return watched;
    }
    running_[index].watches.push_back(std::move(added));
    return {};
}

ServiceHost::Watch* ServiceHost::find_watch(UnitIndex index, WatchKind kind) {
    for (const auto& watch : running_[index].watches) {
        if (watch->kind == kind) {
            return watch.get();
        }
    }
    return nullptr;
}

void ServiceHost::end_watch(UnitIndex index, WatchKind kind) {
    std::erase_if(running_[index].watches, [&](const auto& watch) {
        if (watch->kind != kind) {
            return false;
        }
        loop_.remove(watch->fd.get());
        return true;
    });
}

void ServiceHost::end_watches(UnitIndex index) {
    for (const auto& watch : running_[index].watches) {
        loop_.remove(watch->fd.get());
    }
    running_[index].watches.clear();
    end_asking(running_[index]);
}

void ServiceHost::end_asking(Running& running) {
    if (running.asking && running.asking->pid > 0) {
        ::kill(running.asking->pid, SIGKILL);  // a child of ours that is not reaped yet
        pids_.remove(running.asking->pid);
    }
    running.asking.reset();
}

void ServiceHost::on_watch(UnitIndex index, WatchKind kind) {
    switch (kind) {
        case WatchKind::notify: on_notification(index); return;
        case WatchKind::cgroup_events: on_cgroup_event(index); return;
        case WatchKind::main_process: on_main_process(index); return;
        case WatchKind::readiness: on_readiness_line(index); return;
        case WatchKind::listener: on_connection(index); return;
    }
}

void ServiceHost::on_connection(UnitIndex index) {
    end_watch(index, WatchKind::listener);
    supervisor_->on_activated(index);
}

/// s6's way: a line end on the descriptor says that the service is ready.
void ServiceHost::on_readiness_line(UnitIndex index) {
    std::array<char, 256> buffer;
    const ssize_t count = ::read(find_watch(index, WatchKind::readiness)->fd.get(), buffer.data(), buffer.size());
    const bool line = count > 0 && std::find(buffer.data(), buffer.data() + count, '\n') != buffer.data() + count;
    if (line || count <= 0) {
        end_watch(index, WatchKind::readiness);
    }
    if (line) {
        supervisor_->on_ready(index);
    }
}

void ServiceHost::on_cgroup_event(UnitIndex index) {
    if (const Watch* const events = find_watch(index, WatchKind::cgroup_events)) {
        std::array<char, 256> unused;
        // Takes the event back.
        [[maybe_unused]] const auto count = ::pread(events->fd.get(), unused.data(), unused.size(), 0);
    }
    if (running_[index].has_cgroup && cgroup_of(index).populated()) {
        return;
    }
    end_watches(index);
    emptied(index);
}

// -- sd_notify --------------------------------------------------------------------------------------------------------

void ServiceHost::on_notification(UnitIndex index) {
    const std::string& name = supervisor_->graph().at(index).unit.name;
    const Running& running = running_[index];
    const auto said =
        receive_notification(find_watch(index, WatchKind::notify)->fd.get(),
                             running.has_cgroup ? concat("/services/", name) : std::string(), running.process.pid);
    if (!said) {
        return;
    }
    if (said->status) {
        supervisor_->on_status(index, *said->status);
    } else if (said->reloading || said->stopping) {
        supervisor_->on_status(index, said->reloading ? "reloading" : "stopping");
    } else if (said->ready && supervisor_->service(index).status == "reloading") {
        supervisor_->on_status(index, "");
    }
    if (said->main_pid > 0) {
        take_main_pid(index, said->main_pid);
    }
    if (said->kept_files) {
        console_.line(concat("notify   ", name, ": descriptors are not kept over restarts (FDSTORE=1); closed"));
    }
    if (said->extension) {
        supervisor_->on_extension(index, *said->extension);
    }
    if (said->watchdog) {
        supervisor_->on_watchdog_time(index, *said->watchdog);
    }
    if (said->alive) {
        supervisor_->on_alive(index);
    }
    if (said->ready) {
        supervisor_->on_ready(index);
    }
    if (said->unhealthy) {
        supervisor_->on_unhealthy(index);
    }
}

bool ServiceHost::notification_waits(UnitIndex index) {
    const Watch* const socket = find_watch(index, WatchKind::notify);
    pollfd waiting{socket != nullptr ? socket->fd.get() : -1, POLLIN, 0};
    return socket != nullptr && ::poll(&waiting, 1, 0) == 1;
}

// -- main processes that PID 1 did not start itself -------------------------------------------------------------------

bool ServiceHost::belongs(UnitIndex index, pid_t pid) const {
    if (!running_[index].has_cgroup) {
        return path_exists(concat("/proc/", pid));
    }
    const auto all = processes_below(cgroup_of(index).path());
    return std::ranges::find(all, pid) != all.end();
}

/// Another process of the service is the main one from now on. It is opened before it is looked for in the cgroup, so
/// that it cannot become somebody else in between.
void ServiceHost::take_main_pid(UnitIndex index, pid_t pid) {
    Running& running = running_[index];
    if (pid == running.process.pid) {
        return;
    }
    Process process = open_process(pid);
    if (!process || !belongs(index, pid)) {
        return;
    }
    end_watch(index, WatchKind::main_process);
    (void)watch(index, WatchKind::main_process, Fd(::fcntl(process.pidfd.get(), F_DUPFD_CLOEXEC, 0)), EPOLLIN);
    forget_process(running);
    running.process = std::move(process);
    pids_.add(pid, index);
}

/// The adopted main process has ended. It may be a child of another process, which then gets its exit status.
void ServiceHost::on_main_process(UnitIndex index) {
    const Watch* const main = find_watch(index, WatchKind::main_process);
    siginfo_t ended{};
    const bool ours = ::waitid(static_cast<idtype_t>(3 /* P_PIDFD */), static_cast<id_t>(main->fd.get()), &ended,
                               WEXITED | WNOHANG) == 0;
    end_watch(index, WatchKind::main_process);
    if (!ours) {
        main_ended(index, CLD_EXITED, 0);
    } else if (ended.si_pid != 0) {
        main_ended(index, ended.si_code, ended.si_status);
    }
}

void ServiceHost::adopt(UnitIndex index) {
    forget_process(running_[index]);
    auto asking = std::make_unique<Asking>();
    asking->interval = Milliseconds(5);
    running_[index].asking = std::move(asking);
    ask(index);
}

// -- probes -----------------------------------------------------------------------------------------------------------

void ServiceHost::on_time() {
    const Instant time = now();
    hear_starts();
    for (UnitIndex index = 0; index < running_.size(); ++index) {
        const Asking* const asking = running_[index].asking.get();
        if (asking != nullptr && asking->next && *asking->next <= time) {
            ask(index);
        }
    }
}

std::optional<Instant> ServiceHost::next_deadline() const {
    std::optional<Instant> next;
    if (!launcher_.idle()) {
        next = thole::now() + kNextLook;
    }
    for (const Running& running : running_) {
        if (running.asking && running.asking->next && (!next || *running.asking->next < *next)) {
            next = running.asking->next;
        }
    }
    return next;
}

/// True when the answer is there and good. An exec probe answers later.
bool ServiceHost::ask_now(UnitIndex index) {
    Running& running = running_[index];
    const Unit& unit = supervisor_->graph().at(index).unit;
    if (unit.type == ServiceType::forking) {
        const auto text = read_file(unit.pid_file, 64);
        const auto pid = parse_integer(trim(text.value_or("")), 1, INT32_MAX);
        if (pid) {
            take_main_pid(index, static_cast<pid_t>(*pid));
        }
        return running.process.pid > 0;
    }
    if (unit.readiness == Readiness::file) {
        return path_exists(unit.readiness_target);
    }
    return running.asking->probe && running.asking->probe->ask();
}

/// Asks again and again at growing intervals, until the service answers or is no longer starting.
void ServiceHost::ask(UnitIndex index) {
    Running& running = running_[index];
    if (supervisor_->service(index).state != State::starting) {
        end_asking(running);
        return;
    }
    running.asking->next.reset();
    if (ask_now(index)) {
        supervisor_->on_ready(index);
        return;
    }
    running.asking->interval = std::min(running.asking->interval * 3 / 2, kSlowestProbe);
    if (supervisor_->graph().at(index).unit.readiness == Readiness::exec) {
        ask_by_program(index);
    } else {
        running.asking->next = now() + running.asking->interval;
    }
}

void ServiceHost::ask_by_program(UnitIndex index) {
    Running& running = running_[index];
    const Unit& unit = supervisor_->graph().at(index).unit;
    SpawnPlan plan;
    auto variables = environment(unit);
    auto command = split_command(unit.readiness_target);
    Status planned = variables ? Status() : Status(std::unexpected(variables.error()));
    if (planned && !command) {
        planned = std::unexpected(command.error());
    }
    if (planned) {
        plan.environment = std::move(*variables);
        planned = fill_plan(index, *command, plan);
    }
    Fd directory;
    if (auto opened = running.has_cgroup ? cgroup_of(index).open() : Result<Fd>(Fd()); opened) {
        directory = std::move(*opened);
    }
    plan.cgroup_directory = directory.get();
    const auto process = planned ? launcher_.begin(std::move(plan)) : Result<Process>(std::unexpected(planned.error()));
    if (process) {
        running.asking->pid = process->pid;
        pids_.add(process->pid, index);
        return;
    }
    running.asking->next = now() + kSlowestProbe;
    supervisor_->on_status(index, process.error().message);
}

}  // namespace thole
