#include "home.hpp"

#include <sys/mount.h>

#include "base/text.hpp"
#include "os/file.hpp"
#include "reach.hpp"

namespace thole::slurm {

namespace {

constexpr const char* kHome = "/var/home";

/// proc(5)'s mountinfo: the fifth field is the place.
bool is_mounted() {
    const std::string mounts = read_file("/proc/self/mountinfo").value_or("");
    for (const auto line : split(mounts, '\n')) {
        const auto fields = split_words(line);
        if (fields.size() > 4 && fields[4] == kHome) {
            return true;
        }
    }
    return false;
}

}  // namespace

/// Hard: a job whose home is away waits for it, and loses nothing.
std::string nfs_options(const Address& server) { return concat("vers=4.2,hard,addr=", address_text(server)); }

Status mount_home(std::string_view place) {
    if (is_mounted()) {
        return {};
    }
    const auto server = address_of(std::string(place.substr(0, place.find(":/"))));
    if (!server) {
        return with_context("slurm.home", server.error());
    }
    const std::string source(place);
    if (::mount(source.c_str(), kHome, "nfs4", MS_NOSUID | MS_NODEV, nfs_options(*server).c_str()) != 0) {
        return system_error("mount on /home", source);
    }
    return {};
}

}  // namespace thole::slurm
