#include "os/power_down.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

#include "base/text.hpp"
#include "os/cgroup.hpp"
#include "os/clock.hpp"
#include "os/file.hpp"

namespace thole {

namespace {

constexpr std::string_view kOwnCgroup = "init.scope";
constexpr std::chrono::milliseconds kReapTime{2000};
constexpr std::chrono::milliseconds kServersTime{10'000};   // for all network file systems together
constexpr std::chrono::milliseconds kLeast{500};            // for one of them
constexpr std::chrono::milliseconds kLastSyncTime{60'000};  // a full disk cache may need that
constexpr timespec kPause{0, 10'000'000};

/// Takes exit statuses until `done` says so or the time is over.
template <typename Done>
void reap_until(std::chrono::milliseconds time, Done done) {
    const Instant deadline = now() + time;
    while (!done() && now() < deadline) {
        while (::waitpid(-1, nullptr, WNOHANG) > 0) {
        }
        ::nanosleep(&kPause, nullptr);
    }
}

/// The cgroups at the root that hold something else than PID 1. None in a container that has its host's cgroups there,
/// or that may not change its own.
std::vector<Cgroup> foreign_cgroups() {
    std::vector<Cgroup> found;
    if (own_cgroup() != concat("/", kOwnCgroup)) {
        return found;
    }
    const auto names = list_directory(std::string(kCgroupRoot));
    if (!names) {
        return found;
    }
    for (const std::string& name : *names) {
        if (name == kOwnCgroup || !path_exists(concat(kCgroupRoot, "/", name, "/cgroup.events"))) {
            continue;
        }
        auto cgroup = Cgroup::make(name);
        if (cgroup && cgroup->populated()) {
            found.push_back(std::move(*cgroup));
        }
    }
    return found;
}

bool no_child_left() { return ::waitpid(-1, nullptr, WNOHANG) < 0 && errno == ECHILD; }

bool all_empty(const std::vector<Cgroup>& cgroups) { return std::ranges::none_of(cgroups, &Cgroup::populated); }

struct MountPoint {
    std::string path;
    std::string type;
};

/// mountinfo writes spaces and the like as three octal digits (proc(5)).
std::string unescape(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '\\' && at + 3 < text.size()) {
            out += static_cast<char>((text[at + 1] - '0') * 64 + (text[at + 2] - '0') * 8 + (text[at + 3] - '0'));
            at += 3;
        } else {
            out += text[at];
        }
    }
    return out;
}

std::vector<MountPoint> mount_points() {
    std::vector<MountPoint> mounts;
    const auto text = read_file("/proc/self/mountinfo", std::size_t{16} << 20U);
    if (!text) {
        return mounts;
    }
    for (const auto line : split(*text, '\n')) {
        const auto words = split_words(line);
        const auto dash = std::ranges::find(words, std::string_view("-"));
        if (words.size() > 5 && dash != words.end() && dash + 1 != words.end()) {
            mounts.push_back({unescape(words[4]), std::string(*(dash + 1))});
        }
    }
    return mounts;
}

/// Does a system call in a process of its own, which can be killed where the call waits for a machine that is gone: NFS
/// asks for minutes. Its error number, 0, or ETIMEDOUT where it was killed.
template <typename Call>
int call_within(std::chrono::milliseconds time, Call call) {
    const pid_t child = ::fork();
    if (child == 0) {
        ::_exit(call() == 0 ? 0 : errno);
    }
    if (child < 0) {
        return errno;
    }
    const Instant deadline = now() + time;
    int status = 0;
    while (now() < deadline) {
        if (::waitpid(child, &status, WNOHANG) != 0) {
            return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
        }
        ::nanosleep(&kPause, nullptr);
    }
    ::kill(child, SIGKILL);  // the next one that reaps takes its status: it may need a moment
    return ETIMEDOUT;
}

/// Whether to unmount it is to talk to somebody: a server, or a process that is dead by now.
bool has_server(const std::string& type) {
    static constexpr std::array<std::string_view, 7> kTypes{"nfs", "nfs4", "cifs", "smb3", "ceph", "9p", "fuse"};
    return std::ranges::find(kTypes, type) != kTypes.end() || type.starts_with("fuse.");
}

bool is_kernels_own(const std::string& type) {
    static constexpr std::array<std::string_view, 5> kTypes{"proc", "sysfs", "devtmpfs", "cgroup2", "rootfs"};
    return std::ranges::find(kTypes, type) != kTypes.end();
}

void release_shared(Console& console, const std::string& path, Instant deadline) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - now());
    const int code = call_within(std::max(left, kLeast), [&path] { return ::umount2(path.c_str(), UMOUNT_NOFOLLOW); });
    if (code == ETIMEDOUT) {
        console.line(concat("unmount  ", path, ": nobody answers; what was not written yet is lost"));
    }
}

/// What is busy is made read-only, where it is on a disk.
void release_own(Console& console, const MountPoint& mount) {
    if (::umount2(mount.path.c_str(), UMOUNT_NOFOLLOW) == 0) {
        return;
    }
    const int code = errno;
    const bool on_disk = mount.type == "ext4" || mount.type == "xfs" || mount.type == "vfat";
    if (on_disk && ::mount(nullptr, mount.path.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) != 0) {
        console.line(
            concat("unmount  ", mount.path, ": ", std::strerror(code), "; it may need a check at the next boot"));
    }
}

}  // namespace

void end_all_processes(Console& console, std::chrono::milliseconds grace) {
    const auto cgroups = foreign_cgroups();
    for (const Cgroup& cgroup : cgroups) {
        for (const int pid : processes_below(cgroup.path())) {
            ::kill(pid, SIGTERM);
            ::kill(pid, SIGCONT);
        }
    }
    if (cgroups.empty()) {
        ::kill(-1, SIGTERM);  // no cgroup tells what is left of services
        reap_until(grace, no_child_left);
    }
    reap_until(grace, [&] { return all_empty(cgroups); });
    for (const Cgroup& cgroup : cgroups) {
        if (cgroup.populated()) {
            console.line(concat("kill     ", cgroup.path(), ": still busy after ", duration_text(grace)));
            (void)cgroup.kill();
        }
    }
    reap_until(kReapTime, [&] { return all_empty(cgroups); });
    ::kill(-1, SIGKILL);
    reap_until(kReapTime, no_child_left);
}

void release_file_systems(Console& console) {
    auto mounts = mount_points();
    std::ranges::reverse(mounts);
    const Instant deadline = now() + kServersTime;
    for (const MountPoint& mount : mounts) {
        if (mount.path == "/" || is_kernels_own(mount.type)) {
            continue;
        }
        if (has_server(mount.type)) {
            release_shared(console, mount.path, deadline);
        } else {
            release_own(console, mount);
        }
    }
}

/// The sync is for disks that could be neither unmounted nor made read-only; a server that is gone must not hold it up.
void power_down(PowerAction action, bool in_container, int exit_code) {
    (void)call_within(kLastSyncTime, [] {
        ::sync();
        return 0;
    });
    if (in_container) {
        ::_exit(exit_code);
    }
    static constexpr std::array<unsigned, 3> kCommands{RB_POWER_OFF, RB_AUTOBOOT, RB_HALT_SYSTEM};
    ::reboot(static_cast<int>(kCommands[static_cast<std::size_t>(action)]));
    while (true) {
        ::pause();  // a machine that cannot switch itself off
    }
}

}  // namespace thole
