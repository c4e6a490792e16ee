#include "boot/devices.hpp"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "base/text.hpp"
#include "os/file.hpp"

namespace thole {

void link_standard_streams(const std::string& dev) {
    constexpr std::array<std::pair<const char*, const char*>, 4> kLinks{{{"/proc/self/fd", "/fd"},
                                                                         {"/proc/self/fd/0", "/stdin"},
                                                                         {"/proc/self/fd/1", "/stdout"},
                                                                         {"/proc/self/fd/2", "/stderr"}}};
    for (const auto& [target, name] : kLinks) {
        (void)::symlink(target, (dev + name).c_str());  // one that is there already does as well
    }
}

Status link_virtio_ports(const std::string& sys, const std::string& dev) {
    const std::string ports = sys + "/class/virtio-ports";
    const auto names = list_directory(ports);
    if (!names) {
        return {};
    }
    for (const std::string& port : *names) {
        const auto text = read_file(concat(ports, "/", port, "/name"));
        const std::string name(trim(text.value_or("")));
        if (name.empty() || name.starts_with('.') || name.find('/') != std::string::npos) {
            continue;
        }
        const std::string link = concat(dev, "/virtio-ports/", name);
        if (auto made = make_directories(dev + "/virtio-ports"); !made) {
            return made;
        }
        ::unlink(link.c_str());
        if (::symlink(concat("../", port).c_str(), link.c_str()) != 0) {
            return system_error("make the link", link);
        }
    }
    return {};
}

}  // namespace thole
