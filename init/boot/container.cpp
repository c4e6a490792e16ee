#include "boot/container.hpp"

#include <sys/mount.h>
#include <sys/stat.h>

#include <array>
#include <string>
#include <utility>

#include "base/text.hpp"
#include "os/file.hpp"

namespace thole {

namespace {

constexpr ino_t kFirstPidNamespace = 0xEFFFFFFC;  // PROC_PID_INIT_INO, linux/proc_ns.h

}  // namespace

bool runs_in_container() {
    struct stat information{};
    return ::stat("/proc/self/ns/pid", &information) == 0 && information.st_ino != kFirstPidNamespace;
}

void close_volumes() {
    constexpr std::array kModes{std::pair{"/var", mode_t{0755}}, std::pair{"/run", mode_t{0755}},
                                std::pair{"/tmp", mode_t{01777}}};
    for (const auto& [path, mode] : kModes) {
        (void)::chmod(path, mode);
    }
}

void hide_host_uuid(Console& console, std::string_view machine_id) {
    const char* host = "/sys/class/dmi/id/product_uuid";
    const char* own = "/run/thole/product_uuid";
    if (!path_exists(host)) {
        return;
    }
    const std::string uuid =
        concat(machine_id.substr(0, 8), "-", machine_id.substr(8, 4), "-", machine_id.substr(12, 4), "-",
               machine_id.substr(16, 4), "-", machine_id.substr(20), "\n");
    auto hidden = replace_file(own, uuid, 0400);
    if (hidden && ::mount(own, host, nullptr, MS_BIND, nullptr) != 0) {
        hidden = system_error("mount over", host);
    }
    if (!hidden) {
        console.line(concat("container ", hidden.error().message, ": this node shows its host's product UUID"));
    }
}

}  // namespace thole
