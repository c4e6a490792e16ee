#include "os/process.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <vector>

namespace thole {

Process open_process(pid_t pid) {
    Fd fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    return fd ? Process{pid, std::move(fd)} : Process{};
}

void signal_process(const Process& process, int signal) {
    if (process.pidfd) {
        ::syscall(SYS_pidfd_send_signal, process.pidfd.get(), signal, nullptr, 0);
    } else if (process.pid > 0) {
        ::kill(process.pid, signal);  // a child that is not reaped yet, so the number is still its own
    }
}

void signal_cgroup(const Cgroup& cgroup, const Process& main, int signal) {
    std::vector<Process> opened;
    if (main) {
        signal_process(main, signal);
        signal_process(main, SIGCONT);
    }
    for (const int pid : processes_below(cgroup.path())) {
        if (auto process = pid != main.pid ? open_process(pid) : Process{}) {
            opened.push_back(std::move(process));
        }
    }
    if (opened.empty()) {
        return;
    }
    const auto still = processes_below(cgroup.path());
    for (const Process& process : opened) {
        if (std::ranges::find(still, process.pid) != still.end()) {
            signal_process(process, signal);
            signal_process(process, SIGCONT);
        }
    }
}

}  // namespace thole
