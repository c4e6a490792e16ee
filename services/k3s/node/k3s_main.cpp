#include "k3s_main.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/text.hpp"
#include "boot/running_config.hpp"
#include "config/kubernetes_keys.hpp"
#include "control/mesh_client.hpp"
#include "control/protocol.hpp"
#include "k3s_config.hpp"
#include "os/file.hpp"
#include "os/host_name.hpp"
#include "say.hpp"
#include "servers.hpp"

namespace thole::k3s {

using mesh::say;

namespace {

constexpr const char* kMeshFolder = "/var/lib/thole/mesh";
constexpr const char* kConfigFolder = "/etc/rancher/k3s";
constexpr const char* kImages = "/usr/lib/thole/k3s/k3s-airgap-images.tar.zst";
constexpr unsigned kPause = 200'000;  // microseconds

std::string own_address(bool in_mesh) {
    if (!in_mesh) {
        return node_address();
    }
    const auto info = ask_mesh("info");
    return info ? std::string(info_value(*info, "ipv4")) : std::string();
}

std::vector<std::string> server_texts(const NodeConfig& config) {
    std::vector<std::string> texts;
    const std::string nodes = read_file(kubernetes::kMeshNodes).value_or("");
    for (const Address& address : kubernetes::server_addresses(nodes, config.list("kubernetes.servers"))) {
        texts.push_back(address_text(address));
    }
    return texts;
}

/// Waits for what comes from the mesh; says once for what.
K3sNode wait_for_node(const NodeConfig& config) {
    const bool in_mesh = !config.text("mesh.cluster").empty();
    const bool server = is_kubernetes_server(config);
    K3sNode node{.name = host_name(), .address = {}, .outside = node_address(), .servers = {}};
    std::string said;
    while (true) {
        node.address = own_address(in_mesh);
        node.servers = server ? std::vector<std::string>() : server_texts(config);
        if (!node.address.empty() && (server || !node.servers.empty())) {
            return node;
        }
        const std::string wish = node.address.empty() ? "the node's address" : "a server of the cluster in the mesh";
        if (wish != said) {
            said = wish;
            say(concat("waiting for ", wish));
        }
        ::usleep(kPause);
    }
}

/// k3s imports what lies in that folder when it starts.
Status link_images() {
    if (!path_exists(kImages)) {
        return {};
    }
    const std::string folder = concat(kDataFolder, "/agent/images");
    if (auto made = make_directories(folder); !made) {
        return made;
    }
    const std::string link = concat(folder, "/k3s-airgap-images.tar.zst");
    if (::symlink(kImages, link.c_str()) != 0 && errno != EEXIST) {
        return system_error("link k3s' images to", link);
    }
    return {};
}

/// Servers tell the mesh that they are; agents find them by it.
Status announce(bool server) {
    return server ? replace_file("/run/thole/announce", concat("role ", kubernetes::kServerRole, "\n"), 0644)
                  : Status();
}

Status write_files(const NodeConfig& config, const K3sNode& node) {
    for (const auto* folder : {"/run/k3s", kConfigFolder}) {
        if (auto made = make_directories(folder, 0700); !made) {
            return made;
        }
    }
    const auto yaml = k3s_config(config, node);
    if (!yaml) {
        return std::unexpected(yaml.error());
    }
    if (auto written = replace_file(concat(kConfigFolder, "/config.yaml"), *yaml, 0600); !written) {
        return written;
    }
    // A node in no mesh is a cluster of its own: k3s makes a token for itself, which nobody joins by.
    if (!config.text("mesh.cluster").empty()) {
        const auto token = k3s_token(config, kMeshFolder);
        if (!token) {
            return std::unexpected(token.error());
        }
        if (auto written = replace_file(kTokenFile, *token, 0600); !written) {
            return written;
        }
    }
    const auto role = config.text("kubernetes.role");
    return replace_file("/run/thole/k3s.env", concat("K3S_ROLE=", role, "\n"), 0644);
}

Status set_up() {
    const auto config = running_config();
    if (!config) {
        return std::unexpected(config.error());
    }
    const K3sNode node = wait_for_node(*config);
    if (auto written = write_files(*config, node); !written) {
        return written;
    }
    if (auto linked = link_images(); !linked) {
        return linked;
    }
    return announce(is_kubernetes_server(*config));
}

}  // namespace

int k3s_main() {
    const auto done = set_up();
    if (!done) {
        say(done.error().message);
    }
    return done ? 0 : 1;
}

}  // namespace thole::k3s
