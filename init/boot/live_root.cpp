#include "boot/live_root.hpp"

#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "base/text.hpp"
#include "boot/root.hpp"
#include "os/file.hpp"

namespace thole {

namespace {

constexpr const char* kParts = "/live";
constexpr const char* kImage = "/live/root";
constexpr const char* kStage = "/root";  // the kernel's own initramfs has it

/// The kernel's first root, which nothing but an initramfs fills.
bool is_initramfs() {
    struct statfs root{};
    return ::statfs("/", &root) == 0 && (root.f_type == RAMFS_MAGIC || root.f_type == TMPFS_MAGIC) &&
           path_exists(kImage);
}

/// erofs reads a file without a loop device where its file system has an address space to read from, which a tmpfs has
/// not (kernel: fs/erofs/super.c, erofs_fc_get_tree()).
Status mount_image() {
    if (::mkdir(kStage, 0700) != 0 && errno != EEXIST) {
        return system_error("make the directory", kStage);
    }
    if (::mount(kImage, kStage, "erofs", MS_RDONLY, nullptr) == 0) {
        return {};
    }
    if (errno == ENOTBLK || errno == EINVAL) {
        return failure(
            "the root file system in the initramfs cannot be mounted from there: the kernel's command line has to have "
            "rootfstype=ramfs, and the root has to be whole");
    }
    return system_error("mount the root file system of the initramfs,", kImage);
}

/// The initramfs has no name any more once another root is over it.
Status keep_parts() {
    const std::string run = concat(kStage, "/run");
    if (::mount("tmpfs", run.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=25%") != 0) {
        return system_error("mount a tmpfs at", run);
    }
    const std::string kept = concat(kStage, kLiveFolder);
    if (auto made = make_directories(kept, 0700); !made) {
        return made;
    }
    return ::mount(kParts, kept.c_str(), nullptr, MS_BIND, nullptr) == 0 ? Status()
                                                                         : system_error("keep in reach", kParts);
}

/// An initramfs cannot be unmounted, nor pivot_root(2) used on it: the new root is moved over it.
Status move_over() {
    if (::chdir(kStage) != 0 || ::mount(".", "/", nullptr, MS_MOVE, nullptr) != 0 || ::chroot(".") != 0 ||
        ::chdir("/") != 0) {
        return system_error("make the root what is at", kStage);
    }
    return {};
}

}  // namespace

Status enter_live_root(Console& console) {
    if (!is_initramfs()) {
        return {};
    }
    console.line("root     the image came with the kernel, and stays in memory");
    if (auto mounted = mount_image(); !mounted) {
        return mounted;
    }
    if (auto kept = keep_parts(); !kept) {
        return kept;
    }
    if (auto moved = move_over(); !moved) {
        return moved;
    }
    return start_again();
}

}  // namespace thole
