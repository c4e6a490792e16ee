// How a service's processes come into being: cgroup, environment, descriptors, and the plan that os/spawn follows.
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/service_host.hpp"
#include "os/accounts.hpp"
#include "os/file.hpp"
#include "os/listener.hpp"
#include "os/notify.hpp"
#include "os/pipe.hpp"

namespace thole {

namespace {

constexpr Milliseconds kFirstProbe{20};
constexpr Milliseconds kLongestWait{5};  // of PID 1 for an exec, while nothing else is heard
constexpr std::string_view kNotifyDirectory = "/run/thole/notify";

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

/// A delegated subtree belongs to the service's user (cgroup-v2.rst, Delegation). The service enables controllers for
/// its children itself, once it has moved down: a cgroup that hands any down can hold no process (no internal
/// processes).
Status give_away(const Cgroup& cgroup, const Unit& unit) {
    if (unit.user == "root") {
        return {};
    }
    const auto account = find_account(unit.user, unit.group, {});
    if (!account) {
        return std::unexpected(account.error());
    }
    for (const std::string_view file : {"", "/cgroup.procs", "/cgroup.threads", "/cgroup.subtree_control"}) {
        const std::string path = concat(cgroup.path(), file);
        if (::chown(path.c_str(), account->user, account->group) != 0) {
            return system_error("change the owner of", path);
        }
    }
    return {};
}

}  // namespace

Result<std::vector<std::string>> ServiceHost::environment(const Unit& unit) {
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

Status ServiceHost::prepare_cgroup(UnitIndex index, Fd& directory) {
    Running& running = running_[index];
    const Unit& unit = supervisor_->graph().at(index).unit;
    if (!has_cgroups_) {
        return {};  // boot has said so
    }
    const Cgroup cgroup = cgroup_of(index);
    if (auto made = make_directories(cgroup.path()); !made) {
        return made;
    }
    running.oom_kills_before = running.has_cgroup ? static_cast<unsigned>(cgroup.oom_kills()) : 0;
    running.has_cgroup = true;
    for (const CgroupSetting& setting : unit.cgroup) {
        if (auto set = cgroup.set(setting.file, setting.value); !set) {
            return set;
        }
    }
    if (unit.delegate) {
        if (auto given = give_away(cgroup, unit); !given) {
            return given;
        }
    }
    auto opened = cgroup.open();
    if (!opened) {
        return std::unexpected(opened.error());
    }
    directory = std::move(*opened);
    return {};
}

Status ServiceHost::prepare_listeners(Running& running, const Unit& unit) {
    if (!running.listeners.empty()) {
        return {};
    }
    std::vector<Fd> opened;
    for (const std::string& text : unit.listen) {
        auto listener = open_listener(text);
        if (!listener) {
            return std::unexpected(listener.error());
        }
        opened.push_back(std::move(*listener));
    }
    running.listeners = std::move(opened);
    return {};
}

Status ServiceHost::arm(UnitIndex index) {
    Running& running = running_[index];
    const Unit& unit = supervisor_->graph().at(index).unit;
    if (!unit.on_demand) {
        return {};
    }
    if (auto prepared = prepare_listeners(running, unit); !prepared) {
        return prepared;
    }
    for (const Fd& listener : running.listeners) {
        if (auto watched = watch(index, WatchKind::listener, Fd(::fcntl(listener.get(), F_DUPFD_CLOEXEC, 0)), EPOLLIN);
            !watched) {
            return watched;
        }
    }
    return {};
}

/// LISTEN_FDS and its like, see sd_listen_fds(3).
Status ServiceHost::pass_listeners(const Running& running, const Unit& unit, SpawnPlan& plan) {
    if (running.listeners.empty()) {
        return {};
    }
    std::string names;
    for (const Fd& listener : running.listeners) {
        names += concat(names.empty() ? "" : ":", unit.name);
        plan.passed.push_back({listener.get(), 3 + static_cast<int>(plan.passed.size())});
    }
    plan.environment.push_back(concat("LISTEN_FDS=", running.listeners.size()));
    plan.environment.push_back(concat("LISTEN_FDNAMES=", names));
    plan.environment.emplace_back("LISTEN_PID=");
    return {};
}

Status ServiceHost::prepare_notify(UnitIndex index, SpawnPlan& plan) {
    const Unit& unit = supervisor_->graph().at(index).unit;
    if (auto made = make_directories(std::string(kNotifyDirectory)); !made) {
        return made;
    }
    const std::string path = concat(kNotifyDirectory, "/", unit.name);
    auto socket = bind_notify_socket(path);
    if (!socket) {
        return std::unexpected(socket.error());
    }
    plan.environment.push_back(concat("NOTIFY_SOCKET=", path));
    if (unit.watchdog.count() > 0) {
        plan.environment.push_back(concat("WATCHDOG_USEC=", unit.watchdog.count() * 1000));
        plan.environment.emplace_back("WATCHDOG_PID=");
    }
    return watch(index, WatchKind::notify, std::move(*socket), EPOLLIN);
}

Status ServiceHost::prepare_readiness(UnitIndex index, SpawnPlan& plan, Fd& write_end) {
    Running& running = running_[index];
    const Unit& unit = supervisor_->graph().at(index).unit;
    const std::string& target = unit.readiness_target;
    running.asking.reset();
    if (unit.readiness == Readiness::started) {
        return {};
    }
    if (unit.readiness == Readiness::notify) {
        return prepare_notify(index, plan);
    }
    if (unit.readiness == Readiness::fd) {
        auto pipe = make_pipe(concat("the readiness of ", unit.name));
        if (!pipe) {
            return std::unexpected(pipe.error());
        }
        write_end = std::move(pipe->writer);
        const int first_free = 3 + static_cast<int>(plan.passed.size());
        const auto asked = parse_integer(target, first_free, kHighestPassed);
        if (!target.empty() && !asked) {
            return with_context("readiness-target", asked.error());
        }
        plan.passed.push_back({write_end.get(), target.empty() ? first_free : static_cast<int>(*asked)});
        return watch(index, WatchKind::readiness, std::move(pipe->reader), EPOLLIN);
    }
    auto asking = std::make_unique<Asking>();
    if (unit.readiness == Readiness::tcp || unit.readiness == Readiness::unix_socket) {
        const auto address = unit.readiness == Readiness::tcp ? parse_internet_address(target) : unix_address(target);
        if (!address) {
            return with_context("readiness-target", address.error());
        }
        asking->probe.emplace(*address);
    } else if (unit.readiness == Readiness::file) {
        ::unlink(target.c_str());
    }
    asking->interval = kFirstProbe;
    asking->next = now() + kFirstProbe;
    running.asking = std::move(asking);
    return {};
}

Status ServiceHost::fill_plan(UnitIndex index, const CommandLine& command, SpawnPlan& plan) {
    const Unit& unit = supervisor_->graph().at(index).unit;
    for (const std::string& argument : command) {
        auto expanded = expand_environment(argument, plan.environment);
        if (!expanded) {
            return std::unexpected(expanded.error());
        }
        plan.command.push_back(std::move(*expanded));
    }
    plan.working_directory = unit.working_directory;
    plan.user = unit.user;
    plan.group = unit.group;
    plan.confinement = unit.confinement.get();
    plan.standard_output = logs_.output_of(unit.name);
    plan.oom_score_adjust = unit.oom_score_adjust;
    plan.nice = unit.nice;
    return {};
}

/// Makes the process in its cgroup and remembers it as the unit's.
Status ServiceHost::start_process(UnitIndex index, const CommandLine& command, SpawnPlan& plan) {
    Fd directory;
    if (auto prepared = prepare_cgroup(index, directory); !prepared) {
        return prepared;
    }
    plan.cgroup_directory = directory.get();
    if (auto filled = fill_plan(index, command, plan); !filled) {
        return filled;
    }
    hear_starts();
    auto process = launcher_.begin(std::move(plan));
    if (!process) {
        return std::unexpected(process.error());
    }
    running_[index].process = std::move(*process);
    pids_.add(running_[index].process.pid, index);
    return {};
}

/// Tells the supervisor which of the programs that are being started run by now, and which cannot.
void ServiceHost::hear_starts() {
    while (const auto outcome = launcher_.take()) {
        const auto index = pids_.find(outcome->pid);
        if (!index) {
            continue;
        }
        if (running_[*index].process.pid != outcome->pid) {  // the program of an exec probe
            if (outcome->error) {
                supervisor_->on_status(*index, outcome->error->message);
            }
        } else if (outcome->error) {
            forget_process(running_[*index]);
            supervisor_->on_start_failed(*index, *outcome->error);
        } else {
            supervisor_->on_executed(*index);
        }
    }
}

void ServiceHost::follow_starts() {
    while (!launcher_.idle() && now() - launcher_.oldest() < kLongestWait && launcher_.wait(kLongestWait)) {
        hear_starts();
    }
}

Status ServiceHost::spawn(UnitIndex index) {
    const Unit& unit = supervisor_->graph().at(index).unit;
    Running& running = running_[index];
    end_watches(index);
    SpawnPlan plan;
    auto variables = environment(unit);
    if (!variables) {
        return std::unexpected(variables.error());
    }
    plan.environment = std::move(*variables);
    if (!unit.pid_file.empty()) {
        ::unlink(unit.pid_file.c_str());  // of an earlier run
    }
    Fd readiness;
    auto prepared = prepare_listeners(running, unit);
    if (prepared) {
        prepared = pass_listeners(running, unit, plan);
    }
    if (prepared) {
        prepared = prepare_readiness(index, plan, readiness);  // a command line may hand NOTIFY_SOCKET on
    }
    if (prepared) {
        prepared = start_process(index, unit.command, plan);
    }
    if (!prepared) {
        end_watches(index);
    }
    return prepared;
}

Status ServiceHost::run_helper(UnitIndex index, const CommandLine& command) {
    const Unit& unit = supervisor_->graph().at(index).unit;
    SpawnPlan plan;
    auto variables = environment(unit);
    if (!variables) {
        return std::unexpected(variables.error());
    }
    plan.environment = std::move(*variables);
    return start_process(index, command, plan);
}

}  // namespace thole
