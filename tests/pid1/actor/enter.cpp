// Makes the namespaces of a test machine and becomes their PID 1.
//
// enter root=DIR [user=yes] [cgroup=DIR] [console=PATH] [shared=DIR] [refuse=clone3:ERRNO] [dirty=yes] [kmsg=masked]
//       [cgroup2=missing] [mounted=yes] -- COMMAND...
// The process that was started stays outside, says PID 1's pid there on a line, and ends as it ends.
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstring>

#include "actor.hpp"

namespace actor {

namespace {

constexpr unsigned kClone3 = 435;  // the same on x86_64 and aarch64

class Options {
   public:
    explicit Options(Words words) : words_(words) {}

    [[nodiscard]] std::string of(const std::string& name) const {
        for (const std::string& word : words_) {
            if (word.starts_with(name + "=")) {
                return word.substr(name.size() + 1);
            }
        }
        return {};
    }

   private:
    Words words_;
};

void need(bool holds, const std::string& what) {
    if (!holds) {
        fail(what);
    }
}

void put(const std::string& path, const std::string& text) { need(write_file(path, text), "write " + path); }

void become_root_of_user_namespace() {
    const uid_t user = ::geteuid();
    const gid_t group = ::getegid();
    need(::unshare(CLONE_NEWUSER) == 0, "make a user namespace");
    put("/proc/self/setgroups", "deny");
    put("/proc/self/uid_map", "0 " + std::to_string(user) + " 1");
    put("/proc/self/gid_map", "0 " + std::to_string(group) + " 1");
}

/// Binds a device of this machine into the new root; one that is not here is left out.
void bind(const std::string& source, const std::string& target) {
    const int fd = ::open(target.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
    ::close(fd);
    need(::mount(source.c_str(), target.c_str(), nullptr, MS_BIND, nullptr) == 0, "bind " + source);
}

void make_devices(const Options& options, const std::string& root) {
    const std::string dev = root + "/dev";
    // No devices but those bound here: PID 1 would else make itself a way to this machine's kernel log.
    need(::mount("tmpfs", dev.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=1M") == 0, "mount " + dev);
    for (const char* name : {"null", "zero", "full", "random", "urandom", "tty"}) {
        bind(std::string("/dev/") + name, dev + "/" + name);
    }
    if (!options.of("console").empty()) {
        bind(options.of("console"), dev + "/console");
    }
    if (options.of("kmsg") == "masked") {
        bind("/dev/null", dev + "/kmsg");
    }
    ::mkdir((dev + "/pts").c_str(), 0755);
    ::mkdir((dev + "/shm").c_str(), 0755);
    ::mkdir((dev + "/mqueue").c_str(), 0755);
    ::mkdir((dev + "/hugepages").c_str(), 0755);
}

void make_root(const Options& options) {
    const std::string root = options.of("root");
    need(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "make mounts private");
    need(::mount(root.c_str(), root.c_str(), nullptr, MS_BIND | MS_REC, nullptr) == 0, "bind the root");
    make_devices(options, root);
    if (const std::string shared = options.of("shared"); !shared.empty()) {
        need(::mount(shared.c_str(), (root + "/shared").c_str(), nullptr, MS_BIND, nullptr) == 0, "bind " + shared);
    }
    // Mounted while the old ones can still be seen, which a user namespace needs.
    need(::mount("proc", (root + "/proc").c_str(), "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) == 0,
         "mount proc");
    need(::mount("sysfs", (root + "/sys").c_str(), "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) == 0,
         "mount sysfs");
    const std::string cgroups = root + "/sys/fs/cgroup";
    if (options.of("cgroup2") == "missing") {
        need(::mount("tmpfs", cgroups.c_str(), "tmpfs", MS_RDONLY, "size=4k") == 0, "mount an empty " + cgroups);
    } else if (options.of("mounted") == "yes") {
        need(::mount("cgroup2", cgroups.c_str(), "cgroup2", 0, nullptr) == 0, "mount cgroup2");
        need(::mount("tmpfs", (root + "/run").c_str(), "tmpfs", 0, "mode=0755") == 0, "mount run");
        need(::mount("tmpfs", (root + "/tmp").c_str(), "tmpfs", 0, "mode=1777") == 0, "mount tmp");
    }
    need(::chdir(root.c_str()) == 0, "enter the root");
    need(::syscall(SYS_pivot_root, ".", ".") == 0, "change the root");
    need(::umount2(".", MNT_DETACH) == 0, "let go of the old root");
    need(::chdir("/") == 0, "enter /");
}

/// A container's network as far as PID 1 asks for it: an address that is not the loopback's own.
void make_network() {
    ifreq request{};
    std::memcpy(request.ifr_name, "lo", 3);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(0xC0000202);  // 192.0.2.2, for documentation and tests (RFC 5737)
    std::memcpy(&request.ifr_addr, &address, sizeof address);
    const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    need(::ioctl(fd, SIOCSIFADDR, &request) == 0, "give lo an address");
    ::close(fd);
}

/// Refuses one system call with an error, as a container runtime's filter of another age does.
void refuse(unsigned call, unsigned code) {
    std::array<sock_filter, 4> program{{
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, call},
        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | (code & SECCOMP_RET_DATA)},
        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
    }};
    const sock_fprog filter{program.size(), program.data()};
    need(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "forgo new privileges");
    need(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) == 0, "install a filter");
}

/// What a careless container runtime may leave to its PID 1, and no service may inherit.
void make_dirty() {
    sigset_t all;
    ::sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, nullptr);
    for (const int signal : {SIGHUP, SIGUSR1, SIGUSR2, SIGPIPE, SIGTERM, SIGQUIT}) {
        ::signal(signal, SIG_IGN);
    }
    ::fcntl(0, F_DUPFD, 17);  // not close-on-exec
    ::fcntl(0, F_DUPFD, 200);
    (void)write_file("/proc/self/oom_score_adj", "-1000");  // not allowed in a user namespace
}

[[noreturn]] void become_init(const Options& options, Words command) {
    need(::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0, "ask to end with the parent");
    if (const std::string cgroup = options.of("cgroup"); !cgroup.empty()) {
        put(cgroup + "/cgroup.procs", "0");
        need(::unshare(CLONE_NEWCGROUP) == 0, "make a cgroup namespace");
    }
    ::setsid();
    make_root(options);
    make_network();
    const int console = ::open(options.of("console").empty() ? "/dev/null" : "/dev/console", O_RDWR | O_NOCTTY);
    need(console >= 0, "open the console");
    for (int fd = 0; fd < 3; ++fd) {
        ::dup2(console, fd);
    }
    // Only what PID 1 is to have, or is not to hand on.
    ::syscall(SYS_close_range, 3U, ~0U, 0U);
    if (options.of("dirty") == "yes") {
        make_dirty();
    }
    if (const std::string refused = options.of("refuse"); refused.starts_with("clone3:")) {
        refuse(kClone3, static_cast<unsigned>(number(refused.substr(7))));
    }
    ::clearenv();
    ::setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
    ::setenv("THOLE_KUBERNETES_ENABLED", "no", 1);
    become(command);
}

}  // namespace

int enter(Words words) {
    const Options options(words);
    std::size_t dashes = 0;
    while (dashes < words.size() && words[dashes] != "--") {
        ++dashes;
    }
    if (dashes + 1 >= words.size()) {
        errno = EINVAL;
        fail("enter OPTION... -- COMMAND...");
    }
    if (options.of("user") == "yes") {
        become_root_of_user_namespace();
    }
    need(::unshare(CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET) == 0, "make namespaces");
    const pid_t pid = ::fork();
    need(pid >= 0, "fork");
    if (pid == 0) {
        become_init(options, words.subspan(dashes + 1));
    }
    say(std::to_string(pid));
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace actor
