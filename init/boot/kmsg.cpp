#include "boot/kmsg.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>

#include "base/text.hpp"
#include "os/file.hpp"

namespace thole {

namespace {

constexpr unsigned kMajor = 1;
constexpr unsigned kMinor = 11;

bool is_kernel_log(const std::string& path) {
    struct stat information{};
    return ::stat(path.c_str(), &information) == 0 && S_ISCHR(information.st_mode) &&
           information.st_rdev == makedev(kMajor, kMinor) && open_file(path, O_RDONLY | O_NONBLOCK).has_value();
}

}  // namespace

Result<KmsgKind> provide_kmsg(const std::string& path) {
    if (is_kernel_log(path)) {
        return KmsgKind::device;
    }
    // A link to /dev/console, a node without the right to it, a FIFO of an earlier start, or a mount over any of these.
    if (::unlink(path.c_str()) != 0 && errno == EBUSY && ::umount2(path.c_str(), MNT_DETACH) == 0) {
        ::unlink(path.c_str());
    }
    if (::mknod(path.c_str(), S_IFCHR | 0600, makedev(kMajor, kMinor)) == 0) {
        if (is_kernel_log(path)) {
            return KmsgKind::made;
        }
        ::unlink(path.c_str());
    }
    if (::mkfifo(path.c_str(), 0600) != 0) {
        return system_error("make", path);
    }
    auto held = open_file(path, O_RDWR | O_NONBLOCK);
    if (!held) {
        return std::unexpected(held.error());
    }
    (void)held->release();  // open for as long as PID 1 lives
    return KmsgKind::fifo;
}

}  // namespace thole
