#include "node_files.hpp"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>

#include "base/text.hpp"
#include "boot/identity.hpp"
#include "os/fd.hpp"
#include "os/file.hpp"

namespace thole {

namespace {

/// Everything behind this line is the mesh's.
constexpr std::string_view kMeshHead = "# nodes of the mesh\n";

/// The DHCP hook and the mesh's daemon write the hosts file both, each its own part: one after the other.
class HostsLock {
   public:
    explicit HostsLock(const std::string& path) : fd_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
        while (fd_ && ::flock(fd_.get(), LOCK_EX) != 0 && errno == EINTR) {
        }
    }

   private:
    Fd fd_;
};

/// A container's hosts file is mounted on its own: it can be written, but not replaced.
Status write_in_place(const std::string& path, std::string_view text) {
    auto fd = open_file(path, O_WRONLY | O_TRUNC);
    return fd ? write_all(fd->get(), text, path) : Status(std::unexpected(fd.error()));
}

}  // namespace

std::string_view mesh_names_in(std::string_view hosts) {
    const auto head = hosts.find(kMeshHead);
    return head == std::string_view::npos ? std::string_view() : hosts.substr(head + kMeshHead.size());
}

std::string with_mesh_names(std::string_view hosts, std::string_view lines) {
    std::string text(hosts.substr(0, hosts.find(kMeshHead)));
    if (!lines.empty()) {
        append(text, text.empty() || text.ends_with('\n') ? "" : "\n", kMeshHead, lines);
    }
    return text;
}

Status write_mesh_names(const NodeFiles& files, std::string_view lines) {
    const HostsLock lock(files.hosts_lock());
    const std::string before = read_file(files.hosts()).value_or(std::string());
    const std::string text = with_mesh_names(before, lines);
    return files.in_container ? write_in_place(files.hosts(), text) : replace_file(files.hosts(), text, 0644);
}

std::string resolv_text(std::span<const std::string_view> servers, std::string_view search) {
    constexpr int kMost = 3;  // the resolvers of glibc and musl, and the kubelet, take no more
    std::string text;
    int count = 0;
    for (const auto server : servers) {
        const auto address = parse_address(server);
        if (address && unusable_reason(*address).empty() && count < kMost) {
            text += concat("nameserver ", address_text(*address), "\n");
            ++count;
        }
    }
    if (!search.empty()) {
        text += concat("search ", search, "\n");
    }
    return text.empty() ? "# no name server is known\n" : text;
}

std::string environment_text(std::string_view node_name, std::string_view address) {
    return concat("NODE_NAME=", node_name, "\nNODE_ADDRESS=", address, "\n");
}

Status write_address(const NodeFiles& files, std::string_view node_name, const Address& address) {
    const std::string text = address_text(address);
    {
        const HostsLock lock(files.hosts_lock());
        const std::string before = read_file(files.hosts()).value_or(std::string());
        const std::string own = with_mesh_names(hosts_text(node_name, text), mesh_names_in(before));
        // The node works without its name in there, too.
        (void)(files.in_container ? complete_hosts(files.hosts(), node_name, text)
                                  : replace_file(files.hosts(), own, 0644));
    }
    return replace_file(files.environment(), environment_text(node_name, text), 0644);
}

Status write_resolv_conf(const NodeFiles& files, std::span<const std::string_view> servers, std::string_view search) {
    return replace_file(files.resolv_conf(), resolv_text(servers, search), 0644);
}

Status overwrite_resolv_conf(const NodeFiles& files, std::span<const std::string_view> servers) {
    const auto fd = open_file(files.resolv_conf(), O_WRONLY | O_TRUNC);
    return fd ? write_all(fd->get(), resolv_text(servers, ""), files.resolv_conf()) : std::unexpected(fd.error());
}

}  // namespace thole
