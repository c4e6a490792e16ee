#include "os/launcher.hpp"

#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>

#include "base/text.hpp"
#include "os/clone.hpp"

namespace thole {

namespace {

constexpr std::size_t kStackSize = 16'384;
constexpr Milliseconds kPatience{200};  // for a free place, when all launches are taken
constexpr std::array<std::string_view, 2> kPidVariables{"LISTEN_PID=", "WATCHDOG_PID="};
constexpr std::size_t kPidRoom = 32;  // the longer name, ten digits and the end

std::vector<char*> pointers(const std::vector<std::string>& texts) {
    std::vector<char*> out;
    out.reserve(texts.size() + 1);
    for (const std::string& text : texts) {
        out.push_back(const_cast<char*>(text.c_str()));
    }
    out.push_back(nullptr);
    return out;
}

/// All signals blocked while the object lives: a child must not run a handler of PID 1's.
class SignalsBlocked {
   public:
    SignalsBlocked() {
        sigset_t all;
        ::sigfillset(&all);
        ::sigprocmask(SIG_SETMASK, &all, &before_);
    }
    ~SignalsBlocked() { ::sigprocmask(SIG_SETMASK, &before_, nullptr); }
    SignalsBlocked(const SignalsBlocked&) = delete;
    SignalsBlocked& operator=(const SignalsBlocked&) = delete;

   private:
    sigset_t before_{};
};

}  // namespace

/// Everything that the new process reads, kept as long as it may.
struct Launcher::Launch {
    SpawnPlan plan;
    Confinement confinement;
    Account account;
    std::string program;
    std::string oom_score;
    std::vector<char*> arguments;
    std::vector<char*> environment;
    std::array<std::array<char, kPidRoom>, kPidVariables.size()> pid_variables{};
    Child child;
    Instant began{};
    pid_t pid = -1;
    unsigned place = 0;
    std::atomic<std::uint32_t> under_way{1};  // the kernel makes it 0
};

Launcher::Launcher(unsigned most)
    : null_(::openat(AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC)) {  // not open(): musl's makes a second call
    outputs_.reserve(most);
    while (outputs_.size() < most) {
        outputs_.emplace_back(::fcntl(null_.get(), F_DUPFD_CLOEXEC, 3));
    }
}

Launcher::~Launcher() {
    while (!idle()) {
        (void)wait(kPatience);
        collect();
    }
}

Result<Process> Launcher::begin(SpawnPlan plan) {
    auto launch = std::make_unique<Launch>();
    launch->plan = std::move(plan);
    launch->program = find_program(launch->plan);
    const std::string context = concat("cannot start ", launch->program);
    if (auto prepared = prepare(*launch); !prepared) {
        return with_context(context, prepared.error());
    }
    if (auto found = find_place(*launch); !found) {
        return with_context(context, found.error());
    }
    int pidfd = -1;
    const long pid = clone(*launch, pidfd);
    if (pid < 0) {
        return with_context(context,
                            system_error("make a process for", launch->program, static_cast<int>(-pid)).error());
    }
    launch->pid = static_cast<pid_t>(pid);
    launch->began = now();
    taken_ |= 1U << launch->place;
    under_way_.push_back(std::move(launch));
    return Process{static_cast<pid_t>(pid), Fd(pidfd)};
}

/// What the plan says in the form that the child can use.
Status Launcher::prepare(Launch& launch) {
    const SpawnPlan& plan = launch.plan;
    Child& child = launch.child;
    launch.arguments = pointers(plan.command);
    launch.environment = pointers(plan.environment);
    for (char*& entry : launch.environment) {
        for (std::size_t at = 0; entry != nullptr && at < kPidVariables.size(); ++at) {
            if (kPidVariables[at] == entry) {
                char* const text = launch.pid_variables[at].data();
                child.pid_variables[at] = text + kPidVariables[at].copy(text, kPidVariables[at].size());
                entry = text;
            }
        }
    }
    child.program = launch.program.c_str();
    child.arguments = launch.arguments.data();
    child.environment = launch.environment.data();
    child.working_directory = plan.working_directory == "/" ? nullptr : plan.working_directory.c_str();
    child.passed = plan.passed.data();
    child.passed_count = plan.passed.size();
    child.nice = plan.nice;
    if (plan.confinement != nullptr) {
        launch.confinement = *plan.confinement;
        child.confinement = &launch.confinement;
    }
    if (plan.oom_score_adjust) {
        launch.oom_score = to_text(std::int64_t{*plan.oom_score_adjust});
        child.oom_score = launch.oom_score.c_str();
    }
    if (plan.user != "root" || !plan.group.empty() || !launch.confinement.groups.empty()) {
        auto account = find_account(plan.user, plan.group, launch.confinement.groups);
        if (!account) {
            return std::unexpected(account.error());
        }
        launch.account = std::move(*account);
    }
    child.account = &launch.account;
    return {};
}

/// One of the stacks and outputs that no other launch uses.
Status Launcher::find_place(Launch& launch) {
    collect();
    if (under_way_.size() == outputs_.size()) {
        if (!wait(kPatience)) {
            return std::unexpected(Error(
                concat(under_way_.size(), " other programs are being started and none of them runs yet"), EAGAIN));
        }
        collect();
    }
    while ((taken_ >> launch.place & 1U) != 0) {
        ++launch.place;
    }
    if (stacks_ == nullptr) {
        void* const mapped = ::mmap(nullptr, kStackSize * outputs_.size(), PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
        if (mapped == MAP_FAILED) {
            return system_error("get memory for", "the stacks of new processes");
        }
        stacks_ = static_cast<char*>(mapped);
    }
    return {};
}

char* Launcher::stack_of(const Launch& launch) const { return stacks_ + kStackSize * launch.place; }

/// The descriptors that the child begins with. Where all are low it shares PID 1's table until it takes its own, which
/// spares it a copy of thousands.
void Launcher::place_descriptors(Launch& launch) {
    Child& child = launch.child;
    const int output = launch.plan.standard_output;
    const int low = outputs_[launch.place].get();
    child.null = null_.get();
    child.output = output >= 0 ? output : child.null;
    const bool all_low = child.null >= 0 && child.null < kFirstLeftOut && low >= 0 && low < kFirstLeftOut;
    if (!all_low || !launch.plan.passed.empty() || (output >= 0 && ::dup3(output, low, O_CLOEXEC) < 0)) {
        return;
    }
    child.output = output >= 0 ? low : child.null;
    child.shares_table = true;
}

/// clone3 into the cgroup; where a kernel or a seccomp filter refuses that, clone and join by itself. Asked anew at
/// each call, so that one refusal does not switch the better way off for ever.
long Launcher::clone(Launch& launch, int& pidfd) {
    Child& child = launch.child;
    place_descriptors(launch);
    const SignalsBlocked blocked;
    constexpr std::uint64_t kAlways = CLONE_VM | CLONE_PIDFD | CLONE_CHILD_CLEARTID;
    clone_args arguments{};
    arguments.flags = kAlways | CLONE_CLEAR_SIGHAND | (child.shares_table ? CLONE_FILES : 0);
    arguments.exit_signal = SIGCHLD;
    arguments.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
    arguments.child_tid = reinterpret_cast<std::uint64_t>(&launch.under_way);
    arguments.stack = reinterpret_cast<std::uint64_t>(stack_of(launch));
    arguments.stack_size = kStackSize;
    if (launch.plan.cgroup_directory >= 0) {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = static_cast<std::uint64_t>(launch.plan.cgroup_directory);
    }
    child.clears_signals = false;
    const long pid = thole_clone3(&arguments, sizeof arguments, child_main, &child);
    if (pid != -ENOSYS && pid != -EPERM && pid != -EINVAL && pid != -EOPNOTSUPP) {
        return pid;
    }
    child.clears_signals = true;
    child.shares_table = false;
    child.cgroup_directory = launch.plan.cgroup_directory;
    long fallback = -EINVAL;
    for (const std::uint64_t flags : {kAlways, kAlways & ~std::uint64_t{CLONE_PIDFD}}) {  // gVisor knows no pidfd
        if (fallback == -EINVAL) {
            fallback = thole_clone(flags | SIGCHLD, stack_of(launch) + kStackSize, &pidfd, &launch.under_way,
                                   child_main, &child);
        }
    }
    return fallback;
}

void Launcher::collect() {
    for (auto at = under_way_.begin(); at != under_way_.end();) {
        const Launch& launch = **at;
        if (launch.under_way.load(std::memory_order_acquire) != 0) {
            ++at;
            continue;
        }
        Outcome outcome{launch.pid, {}};
        if (const FailedStep& failed = launch.child.failed) {
            // The code is not handed on: EAGAIN of a step is no reason to try the clone again.
            outcome.error.emplace(concat("cannot start ", launch.program, ": the new process could not ", failed.step,
                                         ": ", std::strerror(failed.code)),
                                  0);
        }
        if (launch.child.output == outputs_[launch.place].get()) {
            ::dup3(null_.get(), launch.child.output, O_CLOEXEC);  // a log must not be held open by this
        }
        taken_ &= ~(1U << launch.place);
        outcomes_.push_back(std::move(outcome));
        at = under_way_.erase(at);
    }
    if (under_way_.empty() && stacks_ != nullptr) {
        ::munmap(stacks_, kStackSize * outputs_.size());
        stacks_ = nullptr;
    }
}

std::optional<Launcher::Outcome> Launcher::take() {
    collect();
    if (outcomes_.empty()) {
        return std::nullopt;
    }
    Outcome outcome = std::move(outcomes_.front());
    outcomes_.erase(outcomes_.begin());
    return outcome;
}

bool Launcher::wait(Milliseconds at_most) {
    if (idle()) {
        return true;
    }
    std::atomic<std::uint32_t>& word = under_way_.front()->under_way;
    const Instant end = now() + at_most;
    while (word.load(std::memory_order_acquire) != 0) {
        const Milliseconds left = end - now();
        if (left.count() <= 0) {
            return false;
        }
        const timespec time{left.count() / 1000, left.count() % 1000 * 1'000'000};
        ::syscall(SYS_futex, &word, FUTEX_WAIT, 1, &time, nullptr, 0);
    }
    return true;
}

void Launcher::ended(pid_t pid) {
    for (const auto& launch : under_way_) {
        if (launch->pid == pid) {
            launch->under_way.store(0);
        }
    }
}

Instant Launcher::oldest() const { return under_way_.front()->began; }

Result<Process> spawn(SpawnPlan plan) {
    Launcher launcher(1);
    auto process = launcher.begin(std::move(plan));
    while (process && !launcher.wait(kPatience)) {
    }
    const auto outcome = launcher.take();
    if (outcome && outcome->error) {
        return std::unexpected(*outcome->error);
    }
    return process;
}

}  // namespace thole
