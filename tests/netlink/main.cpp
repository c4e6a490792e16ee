// Checks of our netlink against the kernel that runs this, in a network namespace of its own.
#include <sched.h>

#include <cerrno>
#include <cstring>

#include "check.hpp"

int main() {
    using namespace thole;
    if (::unshare(CLONE_NEWNET) != 0 && ::unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
        std::printf("skipped: no network namespace of our own: %s\n", std::strerror(errno));
        return EXIT_SUCCESS;
    }
    check_links();
    std::printf("%s\n", check_wireguard() ? "passed" : "passed, but nothing of WireGuard was checked");
    return EXIT_SUCCESS;
}
