#include "daemon/crash.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>
#include <memory>
#include <optional>

#include "base/text.hpp"
#include "boot/container.hpp"
#include "control/protocol.hpp"
#include "control/server.hpp"
#include "os/power_down.hpp"

namespace thole {

namespace {

struct Deadly {
    int number;
    const char* name;
};

constexpr std::array kDeadly{Deadly{SIGSEGV, "SIGSEGV"},
                             Deadly{SIGBUS, "SIGBUS"},
                             Deadly{SIGILL, "SIGILL"},
                             Deadly{SIGFPE, "SIGFPE"},
                             Deadly{SIGABRT, "SIGABRT, out of memory perhaps"},
                             Deadly{SIGSYS, "SIGSYS"}};
constexpr int kMostDescriptors = 65'536;

const char* name_of(int number) {
    for (const Deadly& deadly : kDeadly) {
        if (deadly.number == number) {
            return deadly.name;
        }
    }
    return "a deadly signal";
}

void say(const char* text) {
    const int fd = open_console();
    [[maybe_unused]] const auto written = ::write(fd, text, std::strlen(text));
    ::close(fd);
}

/// Only calls that a signal handler may make (signal-safety(7)).
void on_deadly_signal(int number) {
    say("\r\nthole: PID 1 has broken (");
    say(name_of(number));
    say("). Services run on without supervision; `thole reboot` and `thole poweroff` still work.\r\n");
    for (int fd = 3; fd < kMostDescriptors; ++fd) {
        ::fcntl(fd, F_SETFD, 0);
    }
    ::execl("/proc/self/exe", "init", "crashed", name_of(number), nullptr);
    while (true) {  // returning would end PID 1, and with it the machine
        if (::waitpid(-1, nullptr, 0) < 0) {
            ::sleep(1);
        }
    }
}

/// What is left of PID 1.
class CrashedInit : public EventSource, public RequestHandler {
   public:
    CrashedInit(EventLoop loop, std::string_view signal)
        : loop_(std::move(loop)), console_(Console::open()), in_container_(runs_in_container()), signal_(signal) {}

    [[noreturn]] void run() {
        sigset_t watched;
        ::sigfillset(&watched);
        for (const Deadly& deadly : kDeadly) {
            ::sigdelset(&watched, deadly.number);
        }
        ::sigprocmask(SIG_SETMASK, &watched, nullptr);
        signals_ = Fd(::signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK));
        (void)loop_.add(signals_.get(), EPOLLIN, *this);
        auto control = ControlServer::listen(std::string(kControlSocket), loop_, *this);
        if (!control) {
            console_.line(control.error().message);
        }
        while (true) {
            reap();
            if (going_down_) {
                finish();
            }
            loop_.wait(control ? (*control)->next_deadline() : std::nullopt);
            if (control) {
                (*control)->on_time();
            }
        }
    }

    void on_events(std::uint32_t /*events*/) override {
        signalfd_siginfo information{};
        if (::read(signals_.get(), &information, sizeof information) != static_cast<ssize_t>(sizeof information)) {
            return;
        }
        const int number = static_cast<int>(information.ssi_signo);
        if (number == SIGTERM || number == SIGPWR || number == kEnginesHalt) {
            going_down_ = PowerAction::power_off;
        } else if (number == SIGINT) {
            going_down_ = PowerAction::reboot;
        }
    }

    Result<std::string> answer(const std::vector<std::string_view>& words) override {
        static constexpr std::array<std::string_view, 3> kActions{"poweroff", "reboot", "halt"};
        for (std::size_t at = 0; words.size() == 2 && words[0] == "shutdown" && at < kActions.size(); ++at) {
            if (kActions[at] == words[1]) {
                going_down_ = static_cast<PowerAction>(at);
                return std::string();
            }
        }
        return failure(
            concat("PID 1 has broken (", signal_,
                   ") and supervises nothing any more; services run on. `thole reboot` starts the node anew"));
    }

   private:
    static void reap() {
        while (::waitpid(-1, nullptr, WNOHANG) > 0) {
        }
    }

    [[noreturn]] void finish() {
        end_all_processes(console_, std::chrono::milliseconds(3000));
        if (!in_container_) {
            release_file_systems(console_);
        }
        power_down(*going_down_, in_container_, 1);
    }

    EventLoop loop_;
    Console console_;
    Fd signals_;
    std::optional<PowerAction> going_down_;
    bool in_container_;
    std::string_view signal_;
};

}  // namespace

void install_crash_handler() {
    alignas(16) static std::array<char, 8192> stack;
    stack_t alternate{};
    alternate.ss_sp = stack.data();
    alternate.ss_size = stack.size();
    ::sigaltstack(&alternate, nullptr);
    struct sigaction action{};
    action.sa_handler = on_deadly_signal;
    action.sa_flags = SA_ONSTACK | SA_NODEFER;
    for (const Deadly& deadly : kDeadly) {
        ::sigaction(deadly.number, &action, nullptr);
    }
}

void crashed_main(std::string_view signal) {
    install_crash_handler();
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);  // it came here out of a handler
    if (auto loop = EventLoop::make()) {
        CrashedInit(std::move(*loop), signal).run();
    }
    while (true) {
        if (::waitpid(-1, nullptr, 0) < 0) {
            ::sleep(1);
        }
    }
}

}  // namespace thole
