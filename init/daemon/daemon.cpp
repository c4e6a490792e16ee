#include "daemon/daemon.hpp"

#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <ctime>

#include "control/protocol.hpp"
#include "daemon/units.hpp"

namespace thole {

namespace {

// The whole of a shutdown: services first, then what is left of pods and jobs.
constexpr Milliseconds kServicesTime{10'000};
constexpr Milliseconds kRemainderGrace{3'000};
constexpr Milliseconds kLoggerDelay{500};
constexpr Milliseconds kLongestLoggerDelay{60'000};
constexpr Milliseconds kLoggerTime{2'500};
constexpr std::string_view kMainService = "container.main-service";

std::optional<Instant> earlier(std::optional<Instant> left, std::optional<Instant> right) {
    if (!left || !right) {
        return left ? left : right;
    }
    return std::min(*left, *right);
}

/// Gives back the pages of the stack that the boot has used and the loop does not; they come again when needed.
[[gnu::noinline]] void release_stack() {
    constexpr std::size_t kPage = 4'096;
    constexpr std::size_t kDeepest = 64 * kPage;
    char* const end = static_cast<char*>(__builtin_frame_address(0)) - kPage / 2;  // what this call itself needs stays
    ::madvise(end - reinterpret_cast<std::uintptr_t>(end) % kPage - kDeepest, kDeepest, MADV_DONTNEED);
}

}  // namespace

Daemon::Daemon(EventLoop loop, Console& console, Booted booted)
    : loop_(std::move(loop)),
      console_(console),
      booted_(std::move(booted)),
      host_(loop_, console_, logs_, booted_),
      button_(*this),
      clock_(*this) {}

Status Daemon::run() {
    if (auto watched = watch_signals(); !watched) {
        return watched;
    }
    logs_.attach(loop_);
    console_.listen(this);
    button_.open(loop_);
    clock_.open(loop_);
    open_watchdog();
    if (auto loaded = load(); !loaded) {
        return loaded;
    }
    start_logger();
    auto control = ControlServer::listen(std::string(kControlSocket), loop_, *this);
    if (control) {
        control_ = std::move(*control);
    } else {
        console_.line(control.error().message);
    }
    console_.gather();
    supervisor_->start_all();
    host_.follow_starts();
    console_.release();
    release_stack();
    while (true) {
        if (going_down_ && (supervisor_->all_at_rest() || now() >= *shutdown_deadline_)) {
            finish();
        }
        host_.follow_starts();
        loop_.wait(next_deadline());
        on_time();
    }
}

Status Daemon::watch_signals() {
    sigset_t watched;
    ::sigemptyset(&watched);
    for (const int number : {SIGCHLD, SIGTERM, SIGINT, SIGPIPE, SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH, SIGPWR}) {
        ::sigaddset(&watched, number);
    }
    ::sigaddset(&watched, kEnginesHalt);
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

Result<std::vector<Unit>> Daemon::read_units(std::vector<Error>& errors) const {
    return load_units(kUnitDirectories, unit_expander(booted_.config), instances_, errors);
}

Status Daemon::load() {
    std::vector<Error> errors;
    auto units = read_units(errors);
    for (const Error& error : errors) {
        console_.line(error.message);
    }
    auto graph = units ? Graph::build(std::move(*units)) : Result<Graph>(std::unexpected(units.error()));
    if (!graph) {
        return with_context("the units of this node cannot be used", graph.error());
    }
    for (const GraphNode& node : graph->nodes()) {
        if (auto opened = open_log(node.unit); !opened) {
            return opened;
        }
    }
    supervisor_.emplace(std::move(*graph), host_);
    host_.attach(*supervisor_, *this);
    return {};
}

Status Daemon::open_log(const Unit& unit) { return logs_.add(unit.name, unit.log_size, unit.log_count); }

void Daemon::open_watchdog() {
    const auto time = parse_duration(booted_.config.text("node.watchdog"));
    if (time && time->count() > 0 && booted_.in_container) {
        console_.line("watchdog the device is the host's: node.watchdog is for machines, not for containers");
    } else if (time && time->count() > 0) {
        watchdog_.open(console_, std::string(booted_.config.text("node.watchdog-device")), *time);
    }
}

void Daemon::start_logger() {
    logger_again_.reset();
    logger_delay_ = std::clamp(logger_delay_ * 2, kLoggerDelay, kLongestLoggerDelay);
    auto connection = logs_.connect();
    if (connection) {
        SpawnPlan plan;
        plan.command = logger_command({.forward = std::string(booted_.config.text("logs.forward")),
                                       .format = std::string(booted_.config.text("logs.format")),
                                       .kernel = booted_.kmsg != KmsgKind::fifo && !booted_.in_container});
        plan.passed = {{connection->get(), 3}};
        plan.oom_score_adjust = -900;
        const auto process = spawn(std::move(plan));
        if (process) {
            logger_ = process->pid;
            return;
        }
        console_.line(process.error().message);
    }
    logger_again_ = now() + logger_delay_;
}

/// Everything that was said is on disk, or two seconds are over.
void Daemon::end_logger() {
    console_.listen(nullptr);
    logs_.disconnect();
    const Instant deadline = now() + kLoggerTime;
    while (logger_ > 0 && ::waitpid(logger_, nullptr, WNOHANG) == 0 && now() < deadline) {
        const timespec pause{0, 2'000'000};
        ::nanosleep(&pause, nullptr);
    }
}

void Daemon::on_events(std::uint32_t /*events*/) {
    signalfd_siginfo information{};
    if (::read(signals_.get(), &information, sizeof information) == static_cast<ssize_t>(sizeof information)) {
        handle_signal(static_cast<int>(information.ssi_signo));
    }
}

void Daemon::handle_signal(int number) {
    if (number == SIGCHLD) {
        reap();
    } else if (number == SIGTERM || number == SIGPWR || number == kEnginesHalt) {
        request_shutdown(PowerAction::power_off, ::strsignal(number));
    } else if (number == SIGINT) {
        // On a machine the kernel's ctrl-alt-del, in a container somebody's ctrl-c.
        request_shutdown(booted_.in_container ? PowerAction::power_off : PowerAction::reboot,
                         booted_.in_container ? "SIGINT" : "ctrl-alt-del");
    } else if (number == SIGHUP) {
        if (const auto reloaded = reload_units(); !reloaded) {
            console_.line(concat("reload   refused: ", reloaded.error().message));
        }
    }
}

/// One SIGCHLD may stand for many children. A number that was taken here cannot belong to another of our processes
/// before it has been looked up: nothing is started in between.
void Daemon::reap() {
    siginfo_t information{};
    while (::waitid(P_ALL, 0, &information, WEXITED | WNOHANG) == 0 && information.si_pid != 0) {
        child_ended(information.si_pid, information.si_code, information.si_status);
        information = {};
    }
}

void Daemon::child_ended(pid_t pid, int code, int status) {
    if (pid == logger_) {
        logger_ = -1;
        logger_again_ = now() + logger_delay_;
    } else {
        host_.on_child(pid, code, status);
    }
}

std::optional<Instant> Daemon::next_deadline() {
    std::optional<Instant> next = earlier(supervisor_->next_deadline(), host_.next_deadline());
    next = earlier(next, earlier(logger_again_, shutdown_deadline_));
    next = earlier(next, watchdog_.next_deadline());
    return control_ ? earlier(next, control_->next_deadline()) : next;
}

void Daemon::on_time() {
    supervisor_->on_time();
    host_.on_time();
    watchdog_.on_time();
    if (control_) {
        control_->on_time();
    }
    if (logger_again_ && *logger_again_ <= now()) {
        start_logger();
    }
}

void Daemon::on_power_button() { request_shutdown(PowerAction::power_off, "the power button"); }

void Daemon::on_clock_jump() { supervisor_->on_clock_changed(); }

void Daemon::on_state(UnitIndex index, State /*before*/) {
    const Service& service = supervisor_->service(index);
    const std::string& name = supervisor_->graph().at(index).unit.name;
    if (control_ && control_->has_readers()) {
        control_->publish(
            encode(UnitEvent{service.since.milliseconds, name, std::string(to_text(service.state)), service.reason}));
    }
    if (booted_.in_container && name == booted_.config.text(kMainService)) {
        end_with_main_service(index);
    }
}

/// A container lives as long as the service that it is for, and ends with its exit status as shells give it.
void Daemon::end_with_main_service(UnitIndex index) {
    const Service& service = supervisor_->service(index);
    if (!service.ran || !at_rest(service.state) || service.state == State::idle) {
        return;
    }
    exit_code_ = service.last_exit.signal != 0 ? 128 + service.last_exit.signal : service.last_exit.code;
    request_shutdown(PowerAction::power_off, "the end of the container's main service");
}

/// What kubernetes-shutdown.unit may take before the rest: only where it runs.
Milliseconds Daemon::time_for_pods() const {
    const auto index = supervisor_->graph().find("kubernetes-shutdown");
    const auto time = parse_duration(booted_.config.text("kubernetes.drain-timeout"));
    return index && time && supervisor_->service(*index).state == State::done ? *time : Milliseconds{0};
}

void Daemon::request_shutdown(PowerAction action, std::string_view why) {
    if (going_down_) {
        return;
    }
    console_.line(concat(action == PowerAction::reboot ? "reboot" : "power off", ": asked for by ", why));
    going_down_ = action;
    services_time_ = kServicesTime + time_for_pods();
    shutdown_deadline_ = now() + services_time_;
    supervisor_->begin_shutdown();
}

void Daemon::finish() {
    for (UnitIndex index = 0; index < supervisor_->graph().size(); ++index) {
        const Service& service = supervisor_->service(index);
        if (!at_rest(service.state)) {
            console_.line(concat("kill     ", supervisor_->graph().at(index).unit.name, ": still ",
                                 to_text(service.state), " after ", duration_text(services_time_)));
        }
    }
    watchdog_.prepare_shutdown();
    end_logger();
    end_all_processes(console_, kRemainderGrace);
    if (booted_.in_container) {
        console_.line("bye");
    } else {
        release_file_systems(console_);
        console_.line("the file systems are clean; bye");
    }
    power_down(*going_down_, booted_.in_container, exit_code_);
}

}  // namespace thole
