#include "node_host.hpp"

#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>

#include "base/text.hpp"
#include "config/kubernetes_keys.hpp"
#include "control/client.hpp"
#include "control/mesh_client.hpp"
#include "datastore.hpp"
#include "firewall.hpp"
#include "join_token.hpp"
#include "os/file.hpp"
#include "os/host_name.hpp"
#include "pod_network.hpp"
#include "say.hpp"
#include "servers.hpp"

namespace thole::kubernetes {

using mesh::say;

namespace {

constexpr const char* kRunFolder = "/run/kubernetes";
constexpr const char* kTokens = "/run/kubernetes/token";
constexpr const char* kServerKeys = "/run/kubernetes/servers-key";
constexpr const char* kTemplate = "/run/kubernetes/cni.template";
constexpr const char* kRules = "/run/kubernetes/masquerade.nft";
constexpr const char* kCniFolder = "/etc/cni/net.d";
constexpr const char* kOwnCni = "/etc/cni/net.d/10-thole.conflist";
constexpr const char* kClusterCni = "/etc/cni/net.d/10-containerd-net.conflist";  // containerd's name for it
constexpr const char* kNodeFolder = "/run/thole";
constexpr const char* kEnvironment = "/run/thole/kubernetes.env";
constexpr const char* kAnnounce = "/run/thole/announce";
constexpr const char* kMeshFolder = "/var/lib/thole/mesh";
constexpr const char* kEtcdMember = "/var/lib/etcd/member";
constexpr const char* kLeft = "/var/lib/thole/kubernetes-left";
constexpr const char* kMeshMtu = "/sys/class/net/wg0/mtu";

/// True where the file had to be written.
Result<bool> replace_where_different(const std::string& path, std::string_view text, mode_t mode) {
    const auto before = read_file(path);
    if (before && *before == text) {
        return false;
    }
    const auto written = replace_file(path, text, mode);
    return written ? Result<bool>(true) : std::unexpected(written.error());
}

unsigned mesh_mtu() {
    constexpr std::int64_t kMost = 65'535;
    const auto text = read_file(kMeshMtu);
    return text ? static_cast<unsigned>(parse_integer(trim(*text), 0, kMost).value_or(0)) : 0;
}

Status without_value(const Result<bool>& done) { return done ? Status() : Status(std::unexpected(done.error())); }

Status make_folders() {
    if (auto made = make_directories(kRunFolder, 0700); !made) {
        return made;
    }
    return make_directories(kCniFolder);
}

/// As node.env, but for the addresses: Kubernetes' programs talk within the mesh. NODE_ADDRESSES has one of each family
/// that pods have, the kubelet's --node-ip; and where a server keeps its objects.
Status write_environment(const NodeConfig& config, const NodeAddresses& own) {
    const std::string text = concat("NODE_NAME=", host_name(), "\nNODE_ADDRESS=", own.ipv4,
                                    "\nNODE_ADDRESSES=", own.ipv4, own.ipv6.empty() ? "" : ",", own.ipv6,
                                    "\nOUTSIDE_ADDRESS=", node_address(), "\n", datastore_environment(config));
    return without_value(replace_where_different(kEnvironment, text, 0644));
}

}  // namespace

Result<std::unique_ptr<NodeHost>> NodeHost::make(NodeConfig config) {
    auto loop = EventLoop::make();
    if (!loop) {
        return std::unexpected(loop.error());
    }
    Fd changes(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!changes) {
        return system_error("watch for changes in", kNodeFolder);
    }
    const bool in_mesh = !config.text("mesh.cluster").empty();
    const bool server = is_kubernetes_server(config);
    auto host = std::unique_ptr<NodeHost>(
        new NodeHost(std::move(config), std::move(*loop), std::move(changes), in_mesh, server));
    if (auto added = host->loop_.add(host->changes_.get(), EPOLLIN, *host); !added) {
        return std::unexpected(added.error());
    }
    return host;
}

/// A folder that is not there yet is watched the next time.
Status NodeHost::watch() {
    for (const auto* folder : {kNodeFolder, kCniFolder, kMeshFolder}) {
        (void)::inotify_add_watch(changes_.get(), folder, IN_MOVED_TO | IN_CLOSE_WRITE | IN_ONLYDIR);
    }
    return {};
}

Status NodeHost::prepare() {
    if (auto made = make_folders(); !made) {
        return made;
    }
    if (auto watched = watch(); !watched) {
        return watched;
    }
    if (!server_) {
        auto balancer = Balancer::make(loop_, kBalancerPort, kApiPort);
        if (!balancer) {
            return std::unexpected(balancer.error());
        }
        balancer_ = std::move(*balancer);
    }
    NodeAddresses own = addresses();
    if (own.ipv4.empty()) {
        say(in_mesh_ ? "waiting for the node's address in the mesh" : "waiting for the node's address");
    }
    for (constexpr unsigned kPause = 100'000; own.ipv4.empty(); own = addresses()) {  // microseconds
        ::usleep(kPause);
    }
    if (auto written = write_environment(config_, own); !written) {
        return written;
    }
    if (auto written = write_network(); !written) {
        return written;
    }
    if (auto written = write_server_keys(); !written) {
        return written;
    }
    if (auto written = write_tokens(); !written) {
        return written;
    }
    if (auto announced = announce(); !announced) {
        return announced;
    }
    use_servers();
    ready_ = true;
    return {};
}

/// In a mesh the addresses there, else the one of the node's network; empty where it has none yet.
NodeAddresses NodeHost::addresses() const {
    if (!in_mesh_) {
        return {node_address(), {}};
    }
    const auto info = ask_mesh("info");
    if (!info) {
        return {};
    }
    return {std::string(info_value(*info, "ipv4")),
            has_ipv6_pods(config_) ? std::string(info_value(*info, "ipv6")) : std::string()};
}

Status NodeHost::write_network() {
    if (!in_mesh_) {
        return without_value(
            replace_where_different(kOwnCni, cni_config(config_.list("kubernetes.pod-range"), 0), 0644));
    }
    if (auto written = replace_where_different(kTemplate, cni_template(mesh_mtu()), 0644); !written) {
        return std::unexpected(written.error());
    }
    return apply_rules(kRules, masquerade_rules(config_), "hide pods behind the node for the world outside");
}

Status NodeHost::write_server_keys() const {
    if (!has_etcd(config_)) {
        return {};
    }
    const auto keys = server_keys(config_, kMeshFolder);
    return keys ? without_value(replace_where_different(kServerKeys, *keys, 0600)) : std::unexpected(keys.error());
}

Status NodeHost::write_tokens() {
    const auto tokens = join_tokens(config_, kMeshFolder);
    if (!tokens) {
        return std::unexpected(tokens.error());
    }
    const auto written = replace_where_different(kTokens, *tokens, 0600);
    if (!written) {
        return std::unexpected(written.error());
    }
    if (!*written || !server_ || !ready_) {
        return {};
    }
    say("the cluster's secret has changed: nodes join by another token");
    const auto asked = ask_pid1("restart kubernetes-token");
    return asked ? Status() : Status(std::unexpected(asked.error()));
}

/// What the mesh tells the other nodes: that this is a server, that its disk has a member of the data store, and the
/// range that the cluster gave to its pods.
Status NodeHost::announce() const {
    if (!in_mesh_) {
        return {};
    }
    std::string text;
    if (server_ && !path_exists(kLeft)) {
        append(text, "role ", kServerRole, "\n");
    }
    if (has_etcd(config_) && path_exists(kEtcdMember)) {
        append(text, "role ", kMemberRole, "\n");
    }
    if (const auto cni = read_file(kClusterCni)) {
        for (const std::string& range : ranges_in(*cni)) {
            append(text, "pods ", range, "\n");
        }
    }
    return without_value(replace_where_different(kAnnounce, text, 0644));
}

void NodeHost::use_servers() {
    if (!balancer_) {
        return;
    }
    std::string nodes = read_file(kMeshNodes).value_or("");
    if (nodes == mesh_nodes_) {
        return;
    }
    mesh_nodes_ = std::move(nodes);
    auto servers = server_addresses(mesh_nodes_, config_.list("kubernetes.servers"));
    balancer_->set_servers(std::move(servers));
}

void NodeHost::say_once(const Status& done) {
    if (!done && done.error().message != said_) {
        said_ = done.error().message;
        say(said_);
    }
}

void NodeHost::refresh() {
    say_once(watch());
    const NodeAddresses own = addresses();
    if (!own.ipv4.empty()) {
        say_once(write_environment(config_, own));
    }
    say_once(write_server_keys());
    say_once(write_tokens());
    say_once(announce());
    use_servers();
}

void NodeHost::on_events(std::uint32_t /*events*/) {
    alignas(inotify_event) std::array<char, 4096> events{};
    while (::read(changes_.get(), events.data(), events.size()) > 0) {
        changed_ = true;
    }
}

void NodeHost::run() {
    while (true) {
        loop_.wait(balancer_ ? balancer_->next_deadline() : std::nullopt);
        if (changed_) {
            changed_ = false;
            refresh();
        }
        if (balancer_) {
            balancer_->tick(now());
        }
    }
}

}  // namespace thole::kubernetes
