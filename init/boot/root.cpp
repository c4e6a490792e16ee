#include "boot/root.hpp"

#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

#include "base/text.hpp"
#include "boot/tree_copy.hpp"

namespace thole {

namespace {

// A directory of every image, and nothing is mounted there yet.
constexpr const char* kStage = "/var";
constexpr std::array kMoved{"/proc", "/sys", "/dev", "/run", "/tmp"};

Status mount_memory(const char* options) {
    return ::mount("tmpfs", kStage, "tmpfs", MS_NODEV, options) == 0 ? Status()
                                                                     : system_error("mount a tmpfs at", kStage);
}

/// The tmpfs stays below the overlay, where nothing reaches it by name any more.
Status stage_overlay() {
    if (auto mounted = mount_memory("mode=0755"); !mounted) {
        return mounted;
    }
    for (const char* directory : {"/var/upper", "/var/work"}) {
        if (::mkdir(directory, 0755) != 0) {
            return system_error("make the directory", directory);
        }
    }
    const char* options = "lowerdir=/,upperdir=/var/upper,workdir=/var/work";
    return ::mount("overlay", kStage, "overlay", MS_NODEV, options) == 0
               ? Status()
               : system_error("mount an overlay over the root at", kStage);
}

Status stage_copy() {
    if (auto mounted = mount_memory("mode=0755,size=80%"); !mounted) {
        return mounted;
    }
    if (auto copied = copy_tree("/", kStage); !copied) {
        return failure(concat(copied.error().message,
                              ". node.root = tmpfs copies the whole root file system into memory, and may take four "
                              "fifths of it: give the machine more memory, or set node.root to image or overlay"));
    }
    // Nothing writes to the root of a node; this one could be.
    return ::mount(nullptr, kStage, nullptr, MS_REMOUNT | MS_RDONLY | MS_NODEV, "mode=0755,size=80%") == 0
               ? Status()
               : system_error("make the copy of the root read-only at", kStage);
}

Status move_mounts() {
    for (const char* place : kMoved) {
        const std::string target = concat(kStage, place);
        if (::mount(place, target.c_str(), nullptr, MS_MOVE, nullptr) != 0) {
            return system_error("move to the new root", place);
        }
    }
    return {};
}

/// The old root is put over the new one and detached: pivot_root(2), its last note.
Status enter() {
    if (::chdir(kStage) != 0 || ::syscall(SYS_pivot_root, ".", ".") != 0) {
        return system_error("make the root what is at", kStage);
    }
    if (::umount2(".", MNT_DETACH) != 0 || ::chdir("/") != 0) {
        return system_error("let go of", "the old root");
    }
    return {};
}

}  // namespace

std::string_view root_kind() {
    struct statfs root{};
    if (::statfs("/", &root) != 0) {
        return "image";
    }
    switch (root.f_type) {
        case TMPFS_MAGIC: return "tmpfs";
        case OVERLAYFS_SUPER_MAGIC: return "overlay";
        default: return "image";
    }
}

Status start_again() {
    const std::array<char*, 2> arguments{const_cast<char*>("/sbin/init"), nullptr};
    ::execve("/sbin/init", arguments.data(), environ);
    return system_error("start again from the new root", "/sbin/init");
}

Status change_root(Console& console, const NodeConfig& config) {
    const std::string_view wanted = config.text("node.root");
    if (wanted == "image" || wanted == root_kind()) {
        return {};
    }
    console.line(
        concat("root     ", wanted == "tmpfs" ? "a copy of the image in memory" : "the image, with changes in memory"));
    if (auto staged = wanted == "tmpfs" ? stage_copy() : stage_overlay(); !staged) {
        return staged;
    }
    if (auto moved = move_mounts(); !moved) {
        return moved;
    }
    if (auto entered = enter(); !entered) {
        return entered;
    }
    return start_again();
}

}  // namespace thole
