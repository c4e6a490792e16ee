#include "daemon/daemon.hpp"

#include <sys/epoll.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "control/protocol.hpp"
#include "daemon/units.hpp"

namespace thole {

namespace {

// The whole of a shutdown: services first, then what is left of pods and jobs.
constexpr Milliseconds kServicesTime{10'000};
constexpr Milliseconds kRemainderGrace{3'000};
constexpr Milliseconds kLoggerDelay{500};

std::optional<Instant> earlier(std::optional<Instant> left, std::optional<Instant> right) {
    if (!left || !right) {
        return left ? left : right;
    }
    return std::min(*left, *right);
}

/// The node's keys go in at load; `$$` stays for the second step, the service's environment at its start.
Expander make_expander(const NodeConfig& config) {
    return [&config](std::string_view text) -> Result<std::string> {
        std::string doubled;
        for (std::size_t at = 0; at < text.size(); ++at) {
            doubled += text[at];
            if (text[at] == '$' && at + 1 < text.size() && text[at + 1] == '$') {
                doubled += "$$$";
                ++at;
            }
        }
        return expand(doubled, config);
    };
}

}  // namespace

Daemon::Daemon(EventLoop loop, Console& console, Booted booted)
    : loop_(std::move(loop)),
      console_(console),
      booted_(std::move(booted)),
      host_(loop_, console_, logs_, booted_.config),
      button_(*this) {}

Status Daemon::run(const std::string& directory) {
    if (auto watched = watch_signals(); !watched) {
        return watched;
    }
    button_.open(loop_);
    if (auto loaded = load(directory); !loaded) {
        return loaded;
    }
    start_logger();
    auto control = ControlServer::listen(std::string(kControlSocket), loop_, *this);
    if (control) {
        control_ = std::move(*control);
    } else {
        console_.line(control.error().message);
    }
    supervisor_->start_all();
    while (true) {
        if (going_down_ && (supervisor_->all_at_rest() || now() >= *shutdown_deadline_)) {
            finish();
        }
        loop_.wait(next_deadline());
        on_time();
    }
}

Status Daemon::watch_signals() {
    sigset_t watched;
    ::sigemptyset(&watched);
    for (const int number : {SIGCHLD, SIGTERM, SIGINT, SIGPIPE, SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH}) {
        ::sigaddset(&watched, number);
    }
    if (::sigprocmask(SIG_SETMASK, &watched, nullptr) != 0) {
        return system_error("block", "signals");
    }
    signals_ = Fd(::signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!signals_) {
        return system_error("make", "a signal descriptor");
    }
    if (!booted_.in_container) {
        ::reboot(RB_DISABLE_CAD);  // ctrl-alt-del becomes SIGINT, see reboot(2)
    }
    return loop_.add(signals_.get(), EPOLLIN, *this);
}

Status Daemon::load(const std::string& directory) {
    std::vector<Error> errors;
    auto graph = load_units(directory, make_expander(booted_.config), errors);
    for (const Error& error : errors) {
        console_.line(error.message);
    }
    if (!graph) {
        return with_context("the units of this node cannot be used", graph.error());
    }
    for (const GraphNode& node : graph->nodes()) {
        if (auto added = logs_.add(node.unit.name, node.unit.log_size, node.unit.log_count); !added) {
            return added;
        }
    }
    supervisor_.emplace(std::move(*graph), host_);
    host_.attach(*supervisor_);
    return {};
}

void Daemon::start_logger() {
    logger_again_.reset();
    auto connection = logs_.connect();
    if (connection) {
        SpawnPlan plan;
        plan.command = {"/proc/self/exe", "logger"};
        plan.kept_descriptor = connection->get();
        plan.oom_score_adjust = -900;
        if (const auto process = spawn(plan)) {
            logger_ = process->pid;
            return;
        } else {
            console_.line(process.error().message);
        }
    }
    logger_again_ = now() + kLoggerDelay;
}

void Daemon::on_events(std::uint32_t /*events*/) {
    signalfd_siginfo information{};
    if (::read(signals_.get(), &information, sizeof information) != static_cast<ssize_t>(sizeof information)) {
        return;
    }
    switch (information.ssi_signo) {
        case SIGCHLD: reap(); return;
        case SIGTERM: request_shutdown(PowerAction::power_off, "SIGTERM"); return;
        case SIGINT: request_shutdown(PowerAction::reboot, "ctrl-alt-del"); return;
        default: return;
    }
}

/// One SIGCHLD may stand for many children. Each is looked at first and taken only when its service has been found, so
/// that the pid cannot be used again in between.
void Daemon::reap() {
    siginfo_t information{};
    while (::waitid(P_ALL, 0, &information, WEXITED | WNOHANG | WNOWAIT) == 0 && information.si_pid != 0) {
        const pid_t pid = information.si_pid;
        siginfo_t taken{};
        ::waitid(P_PID, static_cast<id_t>(pid), &taken, WEXITED | WNOHANG);
        if (pid == logger_) {
            logger_ = -1;
            logger_again_ = now() + kLoggerDelay;
        } else {
            host_.on_child(pid, taken.si_code, taken.si_status);
        }
        information = {};
    }
}

std::optional<Instant> Daemon::next_deadline() const {
    std::optional<Instant> next = earlier(supervisor_->next_deadline(), host_.next_deadline());
    next = earlier(next, earlier(logger_again_, shutdown_deadline_));
    return control_ ? earlier(next, control_->next_deadline()) : next;
}

void Daemon::on_time() {
    supervisor_->on_time();
    host_.on_time();
    if (control_) {
        control_->on_time();
    }
    if (logger_again_ && *logger_again_ <= now()) {
        start_logger();
    }
}

void Daemon::on_power_button() { request_shutdown(PowerAction::power_off, "the power button"); }

void Daemon::request_shutdown(PowerAction action, std::string_view why) {
    if (going_down_) {
        return;
    }
    console_.line(concat(action == PowerAction::reboot ? "reboot" : "power off", ": asked for by ", why));
    going_down_ = action;
    shutdown_deadline_ = now() + kServicesTime;
    supervisor_->begin_shutdown();
}

void Daemon::finish() {
    for (UnitIndex index = 0; index < supervisor_->graph().size(); ++index) {
        const Service& service = supervisor_->service(index);
        if (!at_rest(service.state)) {
            console_.line(concat("kill     ", supervisor_->graph().at(index).unit.name, ": still ",
                                 to_text(service.state), " after ", duration_text(kServicesTime)));
        }
    }
    end_all_processes(console_, kRemainderGrace);
    release_file_systems(console_);
    console_.line("the file systems are clean; bye");
    power_down(*going_down_, booted_.in_container);
}

Result<std::string> Daemon::answer(const std::vector<std::string_view>& words) {
    if (words.size() == 1 && words[0] == "status") {
        return status_lines();
    }
    if (words.size() == 2 && words[0] == "shutdown") {
        static constexpr std::array<std::string_view, 3> kActions{"poweroff", "reboot", "halt"};
        const auto action = std::ranges::find(kActions, words[1]);
        if (action == kActions.end()) {
            return failure(concat("'", words[1], "' is not poweroff, reboot or halt"));
        }
        request_shutdown(static_cast<PowerAction>(action - kActions.begin()), "the command line");
        return std::string();
    }
    if (words.size() == 2 && (words[0] == "start" || words[0] == "stop" || words[0] == "restart")) {
        return change_unit(words[0], words[1]);
    }
    return failure("PID 1 does not know this request");
}

Result<std::string> Daemon::change_unit(std::string_view verb, std::string_view name) {
    const auto index = supervisor_->graph().find(name);
    if (!index) {
        return std::unexpected(index.error());
    }
    if (supervisor_->shutting_down()) {
        return failure("the node is shutting down: nothing is started or stopped any more");
    }
    if (verb == "start") {
        supervisor_->start(*index);
    } else if (verb == "stop") {
        supervisor_->stop(*index);
    } else {
        supervisor_->restart(*index);
    }
    return std::string();
}

std::string Daemon::status_lines() const {
    std::string lines;
    for (UnitIndex index = 0; index < supervisor_->graph().size(); ++index) {
        const Service& service = supervisor_->service(index);
        const Unit& unit = supervisor_->graph().at(index).unit;
        lines +=
            encode({unit.name, std::string(to_text(service.state)), host_.pid_of(index), service.since.milliseconds,
                    service.took ? service.took->count() : -1, service.restarts, unit.description, service.reason});
    }
    return lines;
}

}  // namespace thole
