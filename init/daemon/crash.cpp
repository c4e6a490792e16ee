#include "daemon/crash.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>

#include "os/power_down.hpp"

namespace thole {

namespace {

constexpr std::array kDeadly{SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS};

void say(const char* text) {
    const int fd = ::open("/dev/console", O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    (void)!::write(fd, text, std::strlen(text));
    ::close(fd);
}

void on_deadly_signal(int number) {
    say("\r\nthole: PID 1 has broken (");
    say(number == SIGSEGV ? "SIGSEGV" : number == SIGABRT ? "SIGABRT" : "a deadly signal");
    say("). Services run on without supervision; power off or reboot with the power button or ctrl-alt-del.\r\n");
    ::execl("/proc/self/exe", "init", "crashed", nullptr);
    while (true) {
        ::pause();  // returning would end PID 1, and with it the machine
    }
}

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
    for (const int number : kDeadly) {
        ::sigaction(number, &action, nullptr);
    }
}

void crashed_main() {
    sigset_t watched;
    ::sigfillset(&watched);
    ::sigprocmask(SIG_SETMASK, &watched, nullptr);
    while (true) {
        int number = 0;
        ::sigwait(&watched, &number);
        while (::waitpid(-1, nullptr, WNOHANG) > 0) {
        }
        if (number == SIGTERM || number == SIGINT) {
            Console console = Console::open();
            end_all_processes(console, std::chrono::milliseconds(3000));
            release_file_systems(console);
            power_down(number == SIGTERM ? PowerAction::power_off : PowerAction::reboot, false);
        }
    }
}

}  // namespace thole
