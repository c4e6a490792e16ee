#include "os/spawn.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/text.hpp"
#include "os/clone.hpp"
#include "os/confine.hpp"
#include "os/file.hpp"

namespace thole {

namespace {

constexpr std::string_view kDefaultPath = "/usr/sbin:/usr/bin:/sbin:/bin";
constexpr std::array<std::string_view, 2> kPidVariables{"LISTEN_PID=", "WATCHDOG_PID="};

/// Where the child finds /dev/null and its output: low numbers that PID 1 keeps for this. A new process then needs no
/// copy of a table of thousands of descriptors, only of its beginning.
struct LowDescriptors {
    Fd null;
    Fd output;

    [[nodiscard]] bool low() const { return null && output && null.get() < kEnd && output.get() < kEnd; }
    static constexpr int kEnd = 32;
};

LowDescriptors& low_descriptors() {
    static LowDescriptors kept;
    if (!kept.null) {
        kept.null = Fd(::openat(AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC));
        kept.output = Fd(::fcntl(kept.null.get(), F_DUPFD_CLOEXEC, 3));
    }
    return kept;
}

/// Everything the child needs, made before the clone, and its report of what went wrong.
struct Child {
    const SpawnPlan& plan;
    const char* program = nullptr;
    std::vector<char*> arguments = {};
    std::vector<char*> environment = {};
    Account account = {};
    std::array<std::array<char, 32>, kPidVariables.size()> pid_variables{};
    int null = -1;
    int output = -1;
    bool shares_table = false;  // of descriptors, with PID 1, until it takes its own
    bool fell_back = false;     // clone3 was refused
    std::string oom_score = {};
    const char* failed_step = nullptr;
    int failed_code = 0;
};

int give_up(Child& child, const char* step) {
    child.failed_step = step;
    child.failed_code = errno;
    return 127;
}

bool write_text(int directory, const char* path, const std::string& text) {
    const int fd = ::openat(directory, path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    const int code = errno;
    ::close(fd);
    errno = code;
    return written;
}

/// Moves the passed descriptors to their numbers, by way of numbers above all of them: a number that one is to get may
/// be the one that another still has.
bool pass_descriptors(const SpawnPlan& plan) {
    std::array<int, kMostPassed> high{};
    for (std::size_t at = 0; at < plan.passed.size(); ++at) {
        high[at] = ::fcntl(plan.passed[at].from, F_DUPFD_CLOEXEC, kHighestPassed + 1);
        if (high[at] < 0) {
            return false;
        }
    }
    for (std::size_t at = 0; at < plan.passed.size(); ++at) {
        if (::dup2(high[at], plan.passed[at].to) < 0) {
            return false;
        }
    }
    return true;
}

/// A table of descriptors of its own, of those below the end of the low ones (close_range(2)).
bool take_own_table() {
    constexpr unsigned kUnshare = 1U << 1U;  // CLOSE_RANGE_UNSHARE
    return ::syscall(SYS_close_range, LowDescriptors::kEnd, ~0U, kUnshare) == 0 || ::unshare(CLONE_FILES) == 0;
}

bool wire_descriptors(const Child& child) {
    if (child.shares_table && !take_own_table()) {
        return false;
    }
    if (::dup2(child.null, 0) < 0 || ::dup2(child.output, 1) < 0 || ::dup2(child.output, 2) < 0) {
        return false;
    }
    return child.plan.passed.empty() || pass_descriptors(child.plan);
}

/// What is ignored stays so over clone and exec; PID 1 itself ignores SIGPIPE alone. Where clone3 was refused, the rest
/// was not cleared by it.
void reset_signals(bool all) {
    struct sigaction action{};
    action.sa_handler = SIG_DFL;
    ::sigaction(SIGPIPE, &action, nullptr);
    for (int number = 1; all && number < NSIG; ++number) {
        ::sigaction(number, &action, nullptr);
    }
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

/// Writes the process's own number behind LISTEN_PID= and WATCHDOG_PID=, which only the new process knows.
void fill_in_pid(Child& child) {
    std::array<char, 12> digits{};
    std::size_t count = 0;
    for (auto rest = static_cast<unsigned>(::getpid()); rest != 0; rest /= 10) {
        digits[count++] = static_cast<char>('0' + rest % 10);
    }
    for (auto& variable : child.pid_variables) {
        std::size_t end = std::strlen(variable.data());
        for (std::size_t at = count; end > 0 && at > 0; --at) {
            variable[end++] = digits[at - 1];
        }
    }
}

/// Runs in the child, on memory shared with PID 1, which waits: no allocation, no locks.
int child_main(void* argument) {
    Child& child = *static_cast<Child*>(argument);
    const SpawnPlan& plan = child.plan;
    const bool fell_back = child.fell_back;
    if (fell_back && plan.cgroup_directory >= 0 && !write_text(plan.cgroup_directory, "cgroup.procs", "0")) {
        return give_up(child, "join its cgroup");
    }
    ::setsid();
    if (!wire_descriptors(child)) {
        return give_up(child, "set up its descriptors");
    }
    // A container without CAP_SYS_RESOURCE may not lower it: its services run all the same.
    if (!child.oom_score.empty() && !write_text(AT_FDCWD, "/proc/self/oom_score_adj", child.oom_score) &&
        errno != EACCES && errno != EPERM) {
        return give_up(child, "set its OOM score");
    }
    if (plan.nice != 0 && ::setpriority(PRIO_PROCESS, 0, plan.nice) != 0) {
        return give_up(child, "set its priority");
    }
    const Confinement* const confinement = plan.confinement;
    ::umask(confinement != nullptr ? confinement->umask : 022);
    const char* failed = confinement != nullptr ? confine_file_system(*confinement) : nullptr;
    if (failed == nullptr && plan.working_directory != "/" && ::chdir(plan.working_directory.c_str()) != 0) {
        failed = "enter its working directory";
    }
    if (failed == nullptr && confinement != nullptr) {
        failed = set_limits(*confinement);
    }
    if (failed == nullptr) {
        failed = take_account(child.account, confinement);
    }
    if (failed != nullptr) {
        return give_up(child, failed);
    }
    reset_signals(fell_back);
    fill_in_pid(child);
    ::execve(child.program, child.arguments.data(), child.environment.data());
    return give_up(child, "execute it");
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
    std::vector<char*> out;
    for (const std::string& text : texts) {
        out.push_back(const_cast<char*>(text.c_str()));
    }
    out.push_back(nullptr);
    return out;
}

/// Gives the variables that the child completes a place with room.
void place_pid_variables(Child& child) {
    for (char*& entry : child.environment) {
        for (std::size_t at = 0; entry != nullptr && at < kPidVariables.size(); ++at) {
            if (kPidVariables[at] == entry) {
                kPidVariables[at].copy(child.pid_variables[at].data(), kPidVariables[at].size());
                entry = child.pid_variables[at].data();
            }
        }
    }
}

std::string find_program(const SpawnPlan& plan) {
    const std::string& name = plan.command[0];
    if (name.find('/') != std::string::npos) {
        return name;
    }
    for (const auto directory : split(environment_value(plan.environment, "PATH").value_or(kDefaultPath), ':')) {
        std::string candidate = concat(directory, "/", name);
        if (::access(candidate.c_str(), X_OK) == 0) {
            return candidate;
        }
    }
    return name;
}

/// The descriptors that the child begins with; true where they are all low.
bool place_descriptors(Child& child) {
    const LowDescriptors& low = low_descriptors();
    const int output = child.plan.standard_output;
    child.null = low.null.get();
    child.output = output >= 0 ? output : child.null;
    if (!child.plan.passed.empty() || !low.low()) {
        return false;
    }
    if (output >= 0 && ::dup3(output, low.output.get(), O_CLOEXEC) < 0) {
        return false;
    }
    child.output = output >= 0 ? low.output.get() : child.null;
    return true;
}

/// clone3 into the cgroup; where a kernel or a seccomp filter refuses that, clone and join by itself. Asked anew at
/// each call, so that one refusal does not switch the better way off for ever.
long clone_child(Child& child, char* stack, std::size_t size, int& pidfd) {
    clone_args arguments{};
    child.shares_table = place_descriptors(child);
    arguments.flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | CLONE_CLEAR_SIGHAND;
    if (child.shares_table) {
        arguments.flags |= CLONE_FILES;
    }
    arguments.exit_signal = SIGCHLD;
    arguments.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
    arguments.stack = reinterpret_cast<std::uint64_t>(stack);
    arguments.stack_size = size;
    if (child.plan.cgroup_directory >= 0) {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = static_cast<std::uint64_t>(child.plan.cgroup_directory);
    }
    const long pid = thole_clone3(&arguments, sizeof arguments, child_main, &child);
    if (pid != -ENOSYS && pid != -EPERM && pid != -EINVAL && pid != -EOPNOTSUPP) {
        return pid;
    }
    child.fell_back = true;
    child.shares_table = false;
    const int fallback =
        ::clone(child_main, stack + size, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &child, &pidfd);
    return fallback < 0 ? -errno : fallback;
}

}  // namespace

Result<Process> spawn(const SpawnPlan& plan) {
    const std::string program = find_program(plan);
    const std::string context = concat("cannot start ", program);
    Child child{.plan = plan};
    child.program = program.c_str();
    child.arguments = pointers(plan.command);
    child.environment = pointers(plan.environment);
    place_pid_variables(child);
    if (plan.user != "root" || !plan.group.empty() ||
        (plan.confinement != nullptr && !plan.confinement->groups.empty())) {
        static const std::vector<std::string> kNone;
        auto account =
            find_account(plan.user, plan.group, plan.confinement != nullptr ? plan.confinement->groups : kNone);
        if (!account) {
            return with_context(context, account.error());
        }
        child.account = std::move(*account);
    }
    if (plan.oom_score_adjust) {
        child.oom_score = to_text(std::int64_t{*plan.oom_score_adjust});
    }
    alignas(16) static std::array<char, 16'384> stack;
    int pidfd = -1;
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, &before);
    const long pid = clone_child(child, stack.data(), stack.size(), pidfd);
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    if (pid < 0) {
        return with_context(context,
                            system_error("make a process for", plan.command[0], static_cast<int>(-pid)).error());
    }
    Process process{static_cast<pid_t>(pid), Fd(pidfd)};
    if (child.failed_step != nullptr) {
        // The code is not handed on: EAGAIN of a step is no reason to try the clone again.
        return failure(
            concat(context, ": the new process could not ", child.failed_step, ": ", std::strerror(child.failed_code)));
    }
    return process;
}

std::optional<std::string_view> environment_value(const std::vector<std::string>& environment, std::string_view name) {
    for (auto at = environment.rbegin(); at != environment.rend(); ++at) {
        const std::string_view entry = *at;
        if (entry.size() > name.size() && entry.starts_with(name) && entry[name.size()] == '=') {
            return entry.substr(name.size() + 1);
        }
    }
    return std::nullopt;
}

Result<std::string> expand_environment(std::string_view text, const std::vector<std::string>& environment) {
    std::string out;
    while (true) {
        const auto dollar = text.find('$');
        out += text.substr(0, dollar);
        if (dollar == std::string_view::npos) {
            return out;
        }
        text.remove_prefix(dollar + 1);
        if (text.starts_with('$')) {
            out += '$';
            text.remove_prefix(1);
            continue;
        }
        const auto end = text.find('}');
        if (!text.starts_with('{') || end == std::string_view::npos) {
            out += '$';
            continue;
        }
        const auto name = text.substr(1, end - 1);
        const auto value = environment_value(environment, name);
        if (!value) {
            return failure(concat("${", name, "} is not in the service's environment"));
        }
        out += *value;
        text.remove_prefix(end + 1);
    }
}

}  // namespace thole
