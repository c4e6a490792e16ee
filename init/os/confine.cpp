#include "os/confine.hpp"

#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <cerrno>

#include "os/raw_call.hpp"

namespace thole {

namespace {

constexpr unsigned kLastCapability = CAP_LAST_CAP;

bool has(std::uint64_t set, unsigned capability) { return (set >> capability & 1U) != 0; }

/// The step that a call's result is of.
FailedStep step(const char* name, long result) {
    return result < 0 ? FailedStep{name, static_cast<int>(-result)} : FailedStep{};
}

long make_read_only(const std::string& path) {
    const char* const name = path.c_str();
    const long bound = raw_call(SYS_mount, name, name, nullptr, MS_BIND | MS_REC, nullptr);
    constexpr unsigned long kFlags = MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID;
    return bound < 0 ? bound : raw_call(SYS_mount, nullptr, name, nullptr, kFlags, nullptr);
}

/// What the bounding set does not hold cannot come back by any program (capabilities(7)).
long bound(std::uint64_t set) {
    for (unsigned capability = 0; capability <= kLastCapability; ++capability) {
        const long dropped = has(set, capability) ? 0 : raw_call(SYS_prctl, PR_CAPBSET_DROP, capability, 0, 0, 0);
        if (dropped < 0 && dropped != -EINVAL) {
            return dropped;
        }
    }
    return 0;
}

long set_capabilities(std::uint64_t set) {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[2]{};
    data[0].effective = data[0].permitted = data[0].inheritable = static_cast<std::uint32_t>(set);
    data[1].effective = data[1].permitted = data[1].inheritable = static_cast<std::uint32_t>(set >> 32U);
    return raw_call(SYS_capset, &header, &data[0]);
}

long raise_ambient(std::uint64_t set) {
    for (unsigned capability = 0; capability <= kLastCapability; ++capability) {
        const long raised =
            has(set, capability) ? raw_call(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) : 0;
        if (raised < 0) {
            return raised;
        }
    }
    return 0;
}

/// Groups first: without its user's rights it could not change them any more.
long become(const Account& account) {
    long done = raw_call(SYS_setgroups, account.groups.size(), account.groups.data());
    if (done >= 0) {
        done = raw_call(SYS_setgid, account.group);
    }
    return done < 0 ? done : raw_call(SYS_setuid, account.user);
}

}  // namespace

FailedStep confine_file_system(const Confinement& confinement) {
    if (!confinement.private_tmp && confinement.read_only_paths.empty()) {
        return {};
    }
    // Slave: what the node mounts later is seen, what the service mounts stays with it.
    long done = raw_call(SYS_unshare, CLONE_NEWNS);
    if (done >= 0) {
        done = raw_call(SYS_mount, nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr);
    }
    if (done < 0) {
        return step("get a mount namespace of its own", done);
    }
    for (const char* const path : {"/tmp", "/var/tmp"}) {
        done = confinement.private_tmp ? raw_call(SYS_mount, "tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")
                                       : 0;
        if (done < 0 && done != -ENOENT) {
            return step("mount its own /tmp and /var/tmp", done);
        }
    }
    for (const std::string& path : confinement.read_only_paths) {
        if (done = make_read_only(path); done < 0) {
            return step("make its read-only paths read-only", done);
        }
    }
    return {};
}

FailedStep set_limits(const Confinement& confinement) {
    for (const ResourceLimit& limit : confinement.limits) {
        const std::uint64_t values[2]{limit.soft, limit.hard};  // struct rlimit64
        if (const long set = raw_call(SYS_prlimit64, 0, limit.resource, &values[0], nullptr); set < 0) {
            return step("set its resource limits", set);
        }
    }
    return {};
}

FailedStep take_account(const Account& account, const Confinement* confinement) {
    const std::uint64_t ambient = confinement != nullptr ? confinement->ambient_capabilities : 0;
    long done = 0;
    if (confinement != nullptr && confinement->capabilities) {
        done = bound(*confinement->capabilities | ambient);
    }
    if (done < 0) {
        return step("drop capabilities", done);
    }
    if (ambient != 0) {
        done = raw_call(SYS_prctl, PR_SET_KEEPCAPS, 1, 0, 0, 0);
    }
    if (done < 0) {
        return step("keep its ambient capabilities", done);
    }
    const bool root = account.user == 0 && account.group == 0 && account.groups.empty();
    if (done = root ? 0 : become(account); done < 0) {
        return step("become its user", done);
    }
    if (ambient != 0 && account.user != 0) {
        done = set_capabilities(ambient);
        done = done < 0 ? done : raise_ambient(ambient);
    }
    if (done < 0) {
        return step("get its ambient capabilities", done);
    }
    if (confinement != nullptr && confinement->no_new_privileges) {
        return step("give up new privileges", raw_call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    }
    return {};
}

}  // namespace thole
