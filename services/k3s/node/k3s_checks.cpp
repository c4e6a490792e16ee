#include "k3s_checks.hpp"

#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include <algorithm>

#include "base/text.hpp"
#include "k3s_config.hpp"
#include "os/file.hpp"

namespace thole::k3s {

namespace {

/// Something that the kernel has where a file is there, or has a word in it.
struct Need {
    std::string_view name;
    const char* file;
    std::string_view word;  // empty: that the file is there is enough
    std::string_view remedy;
};

constexpr std::string_view kKernel = "a kernel that has it built in, or its module loaded before the node starts";

constexpr Need kNeeds[] = {
    {"cgroup v2", "/sys/fs/cgroup/cgroup.controllers", "", "boot the host with the unified cgroup hierarchy"},
    {"cgroup cpu", "/sys/fs/cgroup/cgroup.controllers", "cpu",
     "a kernel with CONFIG_CGROUP_SCHED; a container needs it delegated"},
    {"cgroup cpuset", "/sys/fs/cgroup/cgroup.controllers", "cpuset", "CONFIG_CPUSETS; a container needs it delegated"},
    {"cgroup memory", "/sys/fs/cgroup/cgroup.controllers", "memory", "CONFIG_MEMCG; a container needs it delegated"},
    {"cgroup pids", "/sys/fs/cgroup/cgroup.controllers", "pids", "CONFIG_CGROUP_PIDS; k3s ends without it"},
    {"overlay file system", "/proc/filesystems", "overlay", kKernel},
    {"network namespaces", "/proc/self/ns/net", "", kKernel},
    {"pid namespaces", "/proc/self/ns/pid", "", kKernel},
    {"ipc namespaces", "/proc/self/ns/ipc", "", kKernel},
    {"keys", "/proc/sys/kernel/keys/root_maxkeys", "", "CONFIG_KEYS: the kubelet sets its limits"},
    {"message queues", "/proc/sys/fs/mqueue/queues_max", "", "CONFIG_POSIX_MQUEUE"},
    {"seccomp filters", "/proc/sys/kernel/seccomp/actions_avail", "", "CONFIG_SECCOMP_FILTER"},
    {"bridge netfilter", "/proc/sys/net/bridge/bridge-nf-call-iptables", "", "CONFIG_BRIDGE_NETFILTER (br_netfilter)"},
    {"connection tracking", "/proc/sys/net/netfilter/nf_conntrack_max", "", "CONFIG_NF_CONNTRACK"},
    {"inotify", "/proc/sys/fs/inotify/max_user_watches", "", "CONFIG_INOTIFY_USER"},
    {"kernel log", "/dev/kmsg", "", "the kubelet needs /dev/kmsg: give the container that device"},
};

constexpr Need kWishes[] = {
    {"optional: cgroup io", "/sys/fs/cgroup/cgroup.controllers", "io", ""},
    {"optional: cgroup hugetlb", "/sys/fs/cgroup/cgroup.controllers", "hugetlb", ""},
    {"optional: user namespaces", "/proc/self/ns/user", "", ""},
    {"optional: ip_tables", "/proc/net/ip_tables_names", "", ""},
    {"optional: ext4", "/proc/filesystems", "ext4", ""},
};

Finding look_for(const std::string& root, const Need& need) {
    const std::string path = root + need.file;
    if (need.word.empty()) {
        return path_exists(path) ? Finding{true, need.file} : Finding{false, concat(need.file, " is not there")};
    }
    const auto text = read_file(path);
    if (!text) {
        return {false, text.error().message};
    }
    const auto words = split_words(*text);
    const bool there = std::ranges::find(words, need.word) != words.end();
    return {there, concat(need.file, there ? " has " : " lacks ", need.word)};
}

Finding forwarding(const std::string& root) {
    const auto text = read_file(root + "/proc/sys/net/ipv4/ip_forward");
    const bool on = text && trim(*text) == "1";
    return {on, on ? "net.ipv4.ip_forward is 1" : "net.ipv4.ip_forward is not 1"};
}

Finding open_files(const std::string& /*root*/) {
    constexpr rlim_t kLeast = 65'536;
    rlimit limit{};
    const bool known = ::getrlimit(RLIMIT_NOFILE, &limit) == 0;
    return {known && limit.rlim_max >= kLeast, concat("at most ", static_cast<std::uint64_t>(limit.rlim_max))};
}

/// k3s unpacks its programs there and runs them; cAdvisor has no figures of a root on 9p.
Finding data_folder(const std::string& root) {
    constexpr decltype(statfs::f_type) k9p = 0x01021997;
    const std::string path = concat(root, "/var/lib/rancher");
    struct statvfs flags{};
    struct statfs kind{};
    if (::statvfs(path.c_str(), &flags) != 0 || ::statfs(path.c_str(), &kind) != 0) {
        return {false, concat(path, " is not there")};
    }
    if ((flags.f_flag & ST_NOEXEC) != 0) {
        return {false, concat(path, " is mounted noexec")};
    }
    return {kind.f_type != k9p, kind.f_type == k9p ? concat(path, " is on 9p") : path};
}

Finding program(const std::string& root) {
    const bool there = path_exists(root + "/usr/bin/k3s");
    return {there, there ? "/usr/bin/k3s" : "/usr/bin/k3s is not there"};
}

}  // namespace

std::vector<DoctorRow> k3s_checks(const std::string& root) {
    std::vector<DoctorRow> rows;
    for (const Need& need : kNeeds) {
        rows.push_back({need.name, look_for(root, need), need.remedy});
    }
    rows.push_back({"forwarding", forwarding(root), "sysctl net.ipv4.ip_forward=1 on the host"});
    rows.push_back({"open files", open_files(root), "a limit (ulimit -Hn) of 65536 or more for PID 1"});
    rows.push_back(
        {"data folder", data_folder(root), "a data disk or volume at /var of ext4, xfs or tmpfs, without noexec"});
    rows.push_back({"k3s", program(root), "an image of the profile k3s"});
    for (const Need& wish : kWishes) {
        Finding found = look_for(root, wish);
        found.good = true;
        rows.push_back({wish.name, std::move(found), ""});
    }
    return rows;
}

}  // namespace thole::k3s
