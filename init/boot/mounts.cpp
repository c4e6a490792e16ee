#include "boot/mounts.hpp"

#include <sys/mount.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include "base/text.hpp"
#include "boot/container.hpp"
#include "os/file.hpp"

namespace thole {

namespace {

enum class Need : unsigned char {
    must,    // the node cannot run without it
    should,  // a service may miss it: reported
    may,     // silent
};

struct Mount {
    const char* type;
    const char* target;
    unsigned long flags;
    const char* options;
    Need need;
};

constexpr unsigned long kPlain = MS_NOSUID | MS_NODEV | MS_NOEXEC;

constexpr std::array kMounts{
    Mount{"proc", "/proc", kPlain, "", Need::must},
    Mount{"sysfs", "/sys", kPlain, "", Need::must},
    Mount{"devtmpfs", "/dev", MS_NOSUID, "mode=0755", Need::must},
    Mount{"devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "mode=0620,ptmxmode=0666,gid=5", Need::should},
    Mount{"tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777", Need::should},
    Mount{"mqueue", "/dev/mqueue", kPlain, "", Need::should},
    Mount{"hugetlbfs", "/dev/hugepages", MS_NOSUID | MS_NODEV, "", Need::may},
    Mount{"tmpfs", "/run", MS_NOSUID | MS_NODEV, "mode=0755,size=25%", Need::must},
    Mount{"tmpfs", "/tmp", MS_NOSUID | MS_NODEV, "mode=1777,size=25%", Need::must},
    Mount{"cgroup2", "/sys/fs/cgroup", kPlain, "nsdelegate,memory_recursiveprot", Need::must},
    // What the firmware and the boot loader say; nothing on a node changes it.
    Mount{"efivarfs", "/sys/firmware/efi/efivars", kPlain | MS_RDONLY, "", Need::may},
    Mount{"bpf", "/sys/fs/bpf", kPlain, "mode=0700", Need::may},
};

/// The fifth word of a line of mountinfo is the mount point.
bool is_mounted(std::string_view mountinfo, std::string_view target) {
    for (const auto line : split(mountinfo, '\n')) {
        const auto words = split_words(line);
        if (words.size() > 4 && words[4] == target) {
            return true;
        }
    }
    return false;
}

/// Something that a container's engine put below the target, such as /run/secrets: a file system over it would hide it.
bool holds_mounts(std::string_view mountinfo, std::string_view target) {
    const std::string below = concat(target, "/");
    for (const auto line : split(mountinfo, '\n')) {
        const auto words = split_words(line);
        if (words.size() > 4 && words[4].starts_with(below)) {
            return true;
        }
    }
    return false;
}

int mount_code(const Mount& mount) {
    if (::mkdir(mount.target, 0755) != 0 && errno != EEXIST && errno != EROFS && errno != EPERM && errno != ENOENT) {
        return errno;
    }
    return ::mount(mount.type, mount.target, mount.type, mount.flags, mount.options) == 0 ? 0 : errno;
}

/// In a container what its engine has not mounted may be out of reach: that is said, and the node does what it can.
Status mount_one(Console& console, const Mount& mount) {
    const int code = mount_code(mount);
    // EBUSY: this very file system is mounted there already.
    if (code == 0 || code == EBUSY || mount.need == Need::may) {
        return {};
    }
    const std::string what = concat(mount.type, " at ", mount.target);
    if (mount.need == Need::must && !runs_in_container()) {
        return system_error("mount", what, code);
    }
    console.line(concat("mount    no ", what, ": ", std::strerror(code), "; ",
                        path_exists(mount.target) ? "the directory serves as it is" : "it goes on without"));
    return {};
}

}  // namespace

Status mount_kernel_file_systems(Console& console) {
    std::string mountinfo;
    for (const Mount& mount : kMounts) {
        if (mountinfo.empty()) {
            mountinfo = read_file("/proc/self/mountinfo").value_or("");
        }
        if (is_mounted(mountinfo, mount.target) || (runs_in_container() && holds_mounts(mountinfo, mount.target))) {
            continue;
        }
        if (auto mounted = mount_one(console, mount); !mounted) {
            return mounted;
        }
    }
    return {};
}

Status mount_etc() {
    for (const char* directory : {"/run/thole/etc/upper", "/run/thole/etc/work"}) {
        if (auto made = make_directories(directory); !made) {
            return made;
        }
    }
    const char* options = "lowerdir=/etc,upperdir=/run/thole/etc/upper,workdir=/run/thole/etc/work";
    if (::mount("overlay", "/etc", "overlay", MS_NOSUID | MS_NODEV, options) != 0) {
        return system_error("mount an overlay in memory at", "/etc");
    }
    return {};
}

Status share_mounts() {
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_SHARED, nullptr) != 0) {
        return system_error("share mounts below", "/");
    }
    return {};
}

}  // namespace thole
