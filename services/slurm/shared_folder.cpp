#include "shared_folder.hpp"

#include <sys/mount.h>
#include <sys/stat.h>

#include "base/text.hpp"
#include "os/accounts.hpp"
#include "os/file.hpp"
#include "reach.hpp"
#include "setup.hpp"

namespace thole::slurm {

namespace {

constexpr const char* kHome = "/var/home";

/// proc(5)'s mountinfo: the fifth field is the place.
bool is_mounted(std::string_view folder) {
    const std::string mounts = read_file("/proc/self/mountinfo").value_or("");
    for (const auto line : split(mounts, '\n')) {
        const auto fields = split_words(line);
        if (fields.size() > 4 && fields[4] == folder) {
            return true;
        }
    }
    return false;
}

Status mount_shared(std::string_view place, const char* folder, std::string_view key) {
    if (is_mounted(folder)) {
        return {};
    }
    const auto server = address_of(std::string(place.substr(0, place.find(":/"))));
    if (!server) {
        return with_context(key, server.error());
    }
    const std::string source(place);
    if (::mount(source.c_str(), folder, "nfs4", MS_NOSUID | MS_NODEV, nfs_options(*server).c_str()) != 0) {
        return system_error(concat("mount on ", folder), source);
    }
    return {};
}

}  // namespace

/// Hard: who uses the folder while the server is away waits for it, and loses nothing.
std::string nfs_options(const Address& server) { return concat("vers=4.2,hard,addr=", address_text(server)); }

Status mount_home(std::string_view place) { return mount_shared(place, kHome, "slurm.home"); }

Status mount_state(std::string_view place) {
    if (auto mounted = mount_shared(place, kQueue, "slurm.state"); !mounted) {
        return mounted;
    }
    const auto slurm = find_account("slurm", {}, {});
    if (!slurm) {
        return std::unexpected(slurm.error());
    }
    struct stat information{};
    if (::stat(kQueue, &information) != 0) {
        return system_error("look at", place);
    }
    if (information.st_uid != slurm->user) {
        ::umount2(kQueue, MNT_DETACH);
        return failure(concat("slurm.state ", place, " belongs to user ", information.st_uid,
                              ", and the controller runs as slurm: on the server `chown ", slurm->user, ":",
                              slurm->group, "` it, and `chmod 700`"));
    }
    return {};
}

}  // namespace thole::slurm
