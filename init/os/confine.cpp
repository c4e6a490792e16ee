#include "os/confine.hpp"

#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace thole {

namespace {

constexpr unsigned kLastCapability = CAP_LAST_CAP;

bool has(std::uint64_t set, unsigned capability) { return (set >> capability & 1U) != 0; }

bool make_read_only(const std::string& path) {
    const char* const name = path.c_str();
    return ::mount(name, name, nullptr, MS_BIND | MS_REC, nullptr) == 0 &&
           ::mount(nullptr, name, nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID, nullptr) == 0;
}

/// What the bounding set does not hold cannot come back by any program (capabilities(7)).
bool bound(std::uint64_t set) {
    for (unsigned capability = 0; capability <= kLastCapability; ++capability) {
        if (!has(set, capability) && ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 && errno != EINVAL) {
            return false;
        }
    }
    return true;
}

bool set_capabilities(std::uint64_t set) {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, 2> data{};
    data[0].effective = data[0].permitted = data[0].inheritable = static_cast<std::uint32_t>(set);
    data[1].effective = data[1].permitted = data[1].inheritable = static_cast<std::uint32_t>(set >> 32U);
    return ::syscall(SYS_capset, &header, data.data()) == 0;
}

bool raise_ambient(std::uint64_t set) {
    for (unsigned capability = 0; capability <= kLastCapability; ++capability) {
        if (has(set, capability) && ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) != 0) {
            return false;
        }
    }
    return true;
}

}  // namespace

const char* confine_file_system(const Confinement& confinement) {
    if (!confinement.private_tmp && confinement.read_only_paths.empty()) {
        return nullptr;
    }
    // Slave: what the node mounts later is seen, what the service mounts stays with it.
    if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) {
        return "get a mount namespace of its own";
    }
    for (const char* const path : {"/tmp", "/var/tmp"}) {
        if (confinement.private_tmp && ::mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777") != 0 &&
            errno != ENOENT) {
            return "mount its own /tmp and /var/tmp";
        }
    }
    for (const std::string& path : confinement.read_only_paths) {
        if (!make_read_only(path)) {
            return "make its read-only paths read-only";
        }
    }
    return nullptr;
}

const char* set_limits(const Confinement& confinement) {
    for (const ResourceLimit& limit : confinement.limits) {
        const rlimit values{limit.soft, limit.hard};
        if (::setrlimit(static_cast<decltype(RLIMIT_CORE)>(limit.resource), &values) != 0) {
            return "set its resource limits";
        }
    }
    return nullptr;
}

const char* take_account(const Account& account, const Confinement* confinement) {
    const std::uint64_t ambient = confinement != nullptr ? confinement->ambient_capabilities : 0;
    if (confinement != nullptr && confinement->capabilities && !bound(*confinement->capabilities | ambient)) {
        return "drop capabilities";
    }
    if (ambient != 0 && ::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) {
        return "keep its ambient capabilities";
    }
    const bool root = account.user == 0 && account.group == 0 && account.groups.empty();
    if (!root && (::setgroups(account.groups.size(), account.groups.data()) != 0 || ::setgid(account.group) != 0 ||
                  ::setuid(account.user) != 0)) {
        return "become its user";
    }
    if (ambient != 0 && account.user != 0 && !(set_capabilities(ambient) && raise_ambient(ambient))) {
        return "get its ambient capabilities";
    }
    if (confinement != nullptr && confinement->no_new_privileges && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return "give up new privileges";
    }
    return nullptr;
}

}  // namespace thole
