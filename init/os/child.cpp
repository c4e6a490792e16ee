#include "os/child.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "os/raw_call.hpp"

namespace thole {

namespace {

constexpr std::size_t kSignalSetSize = 8;  // of the kernel's sigset_t, in bytes

long write_text(int directory, const char* path, const char* text) {
    const long fd = raw_call(SYS_openat, directory, path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return fd;
    }
    const long written = raw_call(SYS_write, fd, text, std::strlen(text));
    raw_call(SYS_close, fd);
    return written;
}

/// Moves the passed descriptors to their numbers, by way of numbers above all of them: a number that one is to get may
/// be the one that another still has.
long pass_descriptors(const Child& child) {
    std::array<long, kMostPassed> high;
    for (std::size_t at = 0; at < child.passed_count; ++at) {
        high[at] = raw_call(SYS_fcntl, child.passed[at].from, F_DUPFD_CLOEXEC, kHighestPassed + 1);
        if (high[at] < 0) {
            return high[at];
        }
    }
    for (std::size_t at = 0; at < child.passed_count; ++at) {
        if (const long moved = raw_call(SYS_dup3, high[at], child.passed[at].to, 0); moved < 0) {
            return moved;
        }
    }
    return 0;
}

/// A table of descriptors of its own, of those below kFirstLeftOut (close_range(2)).
long take_own_table() {
    constexpr unsigned kUnshare = 1U << 1U;  // CLOSE_RANGE_UNSHARE
    const long taken = raw_call(SYS_close_range, kFirstLeftOut, ~0U, kUnshare);
    return taken < 0 ? raw_call(SYS_unshare, CLONE_FILES) : taken;
}

long wire_descriptors(const Child& child) {
    long done = child.shares_table ? take_own_table() : 0;
    for (int number = 0; number <= 2 && done >= 0; ++number) {
        done = raw_call(SYS_dup3, number == 0 ? child.null : child.output, number, 0);
    }
    return done < 0 || child.passed_count == 0 ? done : pass_descriptors(child);
}

/// What is ignored stays so over clone and exec; PID 1 itself ignores SIGPIPE alone. Where clone3 was refused, the rest
/// was not cleared by it.
void reset_signals(bool all) {
    const std::array<unsigned long, 4> by_default{};  // the kernel's struct sigaction: SIG_DFL and nothing else
    raw_call(SYS_rt_sigaction, SIGPIPE, by_default.data(), nullptr, kSignalSetSize);
    for (int number = 1; all && number < NSIG; ++number) {
        raw_call(SYS_rt_sigaction, number, by_default.data(), nullptr, kSignalSetSize);
    }
    const unsigned long none = 0;
    raw_call(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, kSignalSetSize);
}

/// Writes the process's own number behind LISTEN_PID= and WATCHDOG_PID=, which only the new process knows.
void fill_in_pid(const Child& child) {
    std::array<char, 12> digits;
    std::size_t count = 0;
    for (auto rest = static_cast<unsigned>(raw_call(SYS_getpid)); rest != 0; rest /= 10) {
        digits[count++] = static_cast<char>('0' + rest % 10);
    }
    for (char* const variable : child.pid_variables) {
        for (std::size_t at = 0; variable != nullptr && at < count; ++at) {
            variable[at] = digits[count - 1 - at];
        }
    }
}

FailedStep failed(const char* step, long result) { return {step, static_cast<int>(-result)}; }

FailedStep take_place(const Child& child) {
    if (child.cgroup_directory >= 0) {
        if (const long joined = write_text(child.cgroup_directory, "cgroup.procs", "0"); joined < 0) {
            return failed("join its cgroup", joined);
        }
    }
    raw_call(SYS_setsid);
    if (const long wired = wire_descriptors(child); wired < 0) {
        return failed("set up its descriptors", wired);
    }
    if (child.oom_score != nullptr) {
        const long set = write_text(AT_FDCWD, "/proc/self/oom_score_adj", child.oom_score);
        // A container without CAP_SYS_RESOURCE may not lower it: its services run all the same.
        if (set < 0 && set != -EACCES && set != -EPERM) {
            return failed("set its OOM score", set);
        }
    }
    const long set = child.nice != 0 ? raw_call(SYS_setpriority, PRIO_PROCESS, 0, child.nice) : 0;
    return set < 0 ? failed("set its priority", set) : FailedStep{};
}

FailedStep take_limits(const Child& child) {
    const Confinement* const confinement = child.confinement;
    raw_call(SYS_umask, confinement != nullptr ? confinement->umask : 022U);
    FailedStep step = confinement != nullptr ? confine_file_system(*confinement) : FailedStep{};
    if (!step && child.working_directory != nullptr) {
        if (const long entered = raw_call(SYS_chdir, child.working_directory); entered < 0) {
            step = failed("enter its working directory", entered);
        }
    }
    if (!step && confinement != nullptr) {
        step = set_limits(*confinement);
    }
    return step ? step : take_account(*child.account, confinement);
}

}  // namespace

int child_main(void* argument) {
    Child& child = *static_cast<Child*>(argument);
    FailedStep step = take_place(child);
    if (!step) {
        step = take_limits(child);
    }
    if (!step) {
        reset_signals(child.clears_signals);
        fill_in_pid(child);
        step = failed("execute it", raw_call(SYS_execve, child.program, child.arguments, child.environment));
    }
    child.failed = step;
    return 127;
}

}  // namespace thole
