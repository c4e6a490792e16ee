#include "boot/cgroups.hpp"

#include <sched.h>
#include <sys/mount.h>

#include <array>
#include <string>

#include "base/text.hpp"
#include "boot/container.hpp"
#include "os/cgroup.hpp"
#include "os/file.hpp"

namespace thole {

namespace {

/// The controllers that the kubelet or the container runtimes need.
constexpr std::array<std::string_view, 6> kWanted{"cpuset", "cpu", "io", "memory", "hugetlb", "pids"};

std::string root_file(std::string_view name) { return concat(kCgroupRoot, "/", name); }

/// A container's view of cgroup2 is often mounted read-only although the container may change it.
void make_writable() {
    const std::string root(kCgroupRoot);
    ::mount(nullptr, root.c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr);
}

/// A container that shares its host's cgroup namespace (docker run --cgroupns=host) sees the host's cgroups at the
/// root. They are not PID 1's to rearrange, nor to end with the container: it goes into a namespace of its own, whose
/// root is the container's cgroup.
Status leave_hosts_namespace() {
    const std::string own = own_cgroup();
    if (own == "/" || !path_exists(root_file("cgroup.controllers"))) {
        return {};
    }
    const std::string root(kCgroupRoot);
    // In place of the host's, not over it: slurmd compares the first mount that it finds with its own cgroup.
    if (::unshare(CLONE_NEWCGROUP) != 0 || ::umount2(root.c_str(), MNT_DETACH) != 0 ||
        ::mount("cgroup2", root.c_str(), "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0) {
        return system_error("see anything but the host's cgroups at", root);
    }
    return {};
}

/// Only the real root may hold processes and hand controllers down; it alone has no cgroup.events.
bool is_real_root() { return !path_exists(root_file("cgroup.events")); }

Status leave_root() {
    auto scope = Cgroup::make("init.scope");
    if (!scope) {
        return std::unexpected(scope.error());
    }
    if (auto moved = scope->adopt(1); !moved) {
        return moved;
    }
    if (is_real_root()) {
        return {};
    }
    const auto processes = read_file(root_file("cgroup.procs"));
    for (const auto word : split_words(processes.value_or(""))) {
        const auto pid = parse_integer(word, 1, INT32_MAX);  // 0: outside of our PID namespace
        if (pid) {
            (void)scope->adopt(static_cast<int>(*pid));  // one that has ended meanwhile is no loss
        }
    }
    return {};
}

/// One controller at a time where they cannot be enabled at once, so that one that refuses does not cost the others.
void enable_all(Console& console, std::string_view below) {
    const std::string directory = concat(kCgroupRoot, below);
    const auto controllers = read_file(directory + "/cgroup.controllers");
    const std::string control = directory + "/cgroup.subtree_control";
    std::string all;
    for (const auto controller : split_words(controllers.value_or(""))) {
        all += concat("+", controller, " ");
    }
    if (all.empty() || write_value(control, all)) {
        return;
    }
    for (const auto word : split_words(all)) {
        if (const auto enabled = write_value(control, word); !enabled) {
            console.line(concat("cgroup   ", enabled.error().message));
        }
    }
}

void report_missing(Console& console) {
    const auto text = read_file(root_file("cgroup.subtree_control"));
    std::string missing;
    for (const auto wanted : kWanted) {
        bool there = false;
        for (const auto controller : split_words(text.value_or(""))) {
            there = there || controller == wanted;
        }
        missing += there ? "" : concat(" ", wanted);
    }
    if (!missing.empty()) {
        console.line(
            concat("cgroup   the kernel or the host does not hand down:", missing, "; containers may not start"));
    }
}

}  // namespace

Status set_up_cgroups(Console& console) {
    if (runs_in_container()) {
        if (auto left = leave_hosts_namespace(); !left) {
            return left;
        }
        make_writable();
    }
    if (auto left = leave_root(); !left) {
        return left;
    }
    enable_all(console, "");
    for (const std::string_view name : {"/services", "/system.slice"}) {
        if (auto made = make_directories(concat(kCgroupRoot, name)); !made) {
            return made;
        }
        enable_all(console, name);
    }
    report_missing(console);
    return {};
}

}  // namespace thole
