#include "os/spawn.hpp"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/text.hpp"
#include "os/clone.hpp"
#include "os/file.hpp"

namespace thole {

namespace {

constexpr std::string_view kDefaultPath = "/usr/sbin:/usr/bin:/sbin:/bin";

/// Everything the child needs, made before the clone, and its report of what went wrong.
struct Child {
    const SpawnPlan& plan;
    const char* program;
    std::vector<char*> arguments;
    std::vector<char*> environment;
    uid_t user = 0;
    gid_t group = 0;
    bool join_cgroup = false;
    std::string oom_score;
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

bool wire_standard_streams(const SpawnPlan& plan) {
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0) {
        return false;
    }
    const int output = plan.standard_output >= 0 ? plan.standard_output : null;
    if (::dup2(null, 0) < 0 || ::dup2(output, 1) < 0 || ::dup2(output, 2) < 0) {
        return false;
    }
    if (plan.kept_descriptor == 3) {
        return ::fcntl(3, F_SETFD, 0) == 0;  // dup2 onto itself would leave close-on-exec set
    }
    return plan.kept_descriptor < 0 || ::dup2(plan.kept_descriptor, 3) >= 0;
}

bool raise_limits() {
    static constexpr rlim_t kFiles = 1'048'576;
    const rlimit files{kFiles, kFiles};
    const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
    ::setrlimit(RLIMIT_NPROC, &unlimited);
    ::setrlimit(RLIMIT_MEMLOCK, &unlimited);
    ::setrlimit(RLIMIT_NOFILE, &files);  // refused only where a container's own limit is lower: that limit then holds
    return true;
}

void reset_signals() {
    struct sigaction action{};
    action.sa_handler = SIG_DFL;
    for (int number = 1; number < NSIG; ++number) {
        ::sigaction(number, &action, nullptr);
    }
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

bool take_user(const Child& child) {
    if (child.user == 0 && child.group == 0) {
        return true;
    }
    return ::setgroups(1, &child.group) == 0 && ::setgid(child.group) == 0 && ::setuid(child.user) == 0;
}

/// Runs in the child, on memory shared with PID 1, which waits: no allocation, no locks.
int child_main(void* argument) {
    Child& child = *static_cast<Child*>(argument);
    const SpawnPlan& plan = child.plan;
    if (child.join_cgroup && !write_text(plan.cgroup_directory, "cgroup.procs", "0")) {
        return give_up(child, "join its cgroup");
    }
    ::setsid();
    if (!wire_standard_streams(plan)) {
        return give_up(child, "set up its standard streams");
    }
    if (!child.oom_score.empty() && !write_text(AT_FDCWD, "/proc/self/oom_score_adj", child.oom_score)) {
        return give_up(child, "set its OOM score");
    }
    if (plan.nice != 0 && ::setpriority(PRIO_PROCESS, 0, plan.nice) != 0) {
        return give_up(child, "set its priority");
    }
    raise_limits();
    ::umask(022);
    if (::chdir(plan.working_directory.c_str()) != 0) {
        return give_up(child, "enter its working directory");
    }
    if (!take_user(child)) {
        return give_up(child, "become its user");
    }
    reset_signals();
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

/// clone3 into the cgroup; where a kernel or a seccomp filter refuses that, clone and join by itself. Asked anew at
/// each call, so that one refusal does not switch the better way off for ever.
long clone_child(Child& child, char* stack, std::size_t size, int& pidfd) {
    clone_args arguments{};
    arguments.flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | CLONE_CLEAR_SIGHAND;
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
    child.join_cgroup = child.plan.cgroup_directory >= 0;
    const int fallback =
        ::clone(child_main, stack + size, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &child, &pidfd);
    return fallback < 0 ? -errno : fallback;
}

}  // namespace

Result<Process> spawn(const SpawnPlan& plan) {
    const std::string program = find_program(plan);
    Child child{plan, program.c_str(), pointers(plan.command), pointers(plan.environment), 0, 0, false, {}, nullptr, 0};
    const std::string context = concat("cannot start ", program);
    if (plan.user != "root") {
        errno = 0;
        const passwd* entry = ::getpwnam(plan.user.c_str());
        if (entry == nullptr) {
            return failure(concat(context, ": there is no user '", plan.user, "' in /etc/passwd"));
        }
        child.user = entry->pw_uid;
        child.group = entry->pw_gid;
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
        return system_error(concat(context, ": make a process for"), plan.command[0], static_cast<int>(-pid));
    }
    Process process{static_cast<pid_t>(pid), Fd(pidfd)};
    if (child.failed_step != nullptr) {
        return std::unexpected(Error{
            concat(context, ": the new process could not ", child.failed_step, ": ", std::strerror(child.failed_code)),
            child.failed_code});
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
