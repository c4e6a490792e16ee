#include "remote.hpp"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <ctime>
#include <vector>

#include "addresses.hpp"
#include "base/text.hpp"
#include "boot/running_config.hpp"
#include "client.hpp"
#include "config/sources.hpp"
#include "config/value.hpp"
#include "control/cli.hpp"
#include "control/commands.hpp"
#include "os/file.hpp"
#include "os/host_name.hpp"
#include "secret_store.hpp"
#include "server.hpp"
#include "wires.hpp"

namespace thole::remote {

namespace {

constexpr std::string_view kUsage =
    "usage: thole -n NODE [--client FILE] [--endpoint ADDRESS:PORT] COMMAND...\n"
    "  -n, --node NODE  does the command on that node of the mesh\n"
    "  --client FILE    as the client of that file; on a node as the node itself\n"
    "  --endpoint ...   the node to connect to, numeric; it hands on to NODE\n";

constexpr std::string_view kMeshFolder = "/var/lib/thole/mesh";  // a secret that was changed on a running cluster

/// The mesh's IPv6 range: what node.ini says, else from the secret.
Network mesh_range(const NodeConfig& config, const mesh::ClusterSecret& secret) {
    const auto written = parse_network(config.text("mesh.ula"));
    return written ? *written : mesh::ula_range(secret);
}

Result<mesh::ClusterSecret> cluster_secret(const NodeConfig& config) {
    if (config.text("mesh.secret").empty()) {
        return failure("this node is in no cluster: node.ini has no mesh.secret");
    }
    return mesh::ClusterSecret::parse(config.text("mesh.secret"));
}

Result<ServerSettings> server_settings(const NodeConfig& config) {
    const auto secret = cluster_secret(config);
    if (!secret) {
        return std::unexpected(secret.error());
    }
    ServerSettings settings;
    settings.places.range = mesh_range(config, *secret);
    settings.places.device = kMeshDevice;
    settings.places.port = kPort;
    auto stored = mesh::choose_secret(std::string(kMeshFolder), *secret);
    settings.secrets.push_back(std::move(stored.secret));
    const auto seconds = static_cast<std::uint64_t>(std::max<std::time_t>(std::time(nullptr), 0));
    if (stored.previous && stored.previous_until > seconds) {
        settings.secrets.push_back(std::move(*stored.previous));
    } else if (auto previous = mesh::ClusterSecret::parse(config.text("mesh.previous-secret"))) {
        settings.secrets.push_back(std::move(*previous));
    }
    for (const auto name : config.list("remote.refused-clients")) {
        settings.refused.emplace_back(name);
    }
    settings.name = host_name();
    settings.nodes = role_of(config.text("remote.nodes"));
    settings.mesh_ranges.push_back(settings.places.range);
    for (const auto range : config.list("mesh.range")) {
        if (const auto network = parse_network(range)) {
            settings.mesh_ranges.push_back(*network);
        }
    }
    if (config.boolean("remote.outside")) {
        settings.outside = Address{.family = AF_INET6, .bytes = {}};
    }
    return settings;
}

struct NodeCall {
    std::string_view node;
    std::string_view client;
    std::string_view endpoint;
    std::vector<std::string> words;
};

Result<NodeCall> read_arguments(std::span<const std::string_view> arguments) {
    NodeCall call;
    std::size_t at = 0;
    while (at < arguments.size() && arguments[at].starts_with('-')) {
        const std::string_view option = arguments[at];
        std::string_view* const value = option == "-n" || option == "--node" ? &call.node
                                        : option == "--client"               ? &call.client
                                        : option == "--endpoint"             ? &call.endpoint
                                                                             : nullptr;
        if (value == nullptr) {
            return failure(concat("unknown option '", option, "' before the command"));
        }
        if (at + 1 == arguments.size()) {
            return failure(concat("'", option, "' needs a value"));
        }
        *value = arguments[at + 1];
        at += 2;
    }
    for (; at < arguments.size(); ++at) {
        call.words.emplace_back(arguments[at]);
    }
    if (call.node.empty() || call.words.empty()) {
        return failure(call.node.empty() ? "NODE is missing" : "the command is missing");
    }
    if (!check_hostname(call.node, kLongestName)) {
        return failure(concat("'", call.node, "' is not the name of a node"));
    }
    return call;
}

/// Where to connect to, and as whom.
struct Way {
    Identity identity;
    SocketAddress address;
    std::string_view device;
};

Result<Way> way_of_client(const NodeCall& call) {
    auto identity = load_client(std::string(call.client));
    if (!identity) {
        return std::unexpected(identity.error());
    }
    const std::string endpoint = call.endpoint.empty() ? identity->endpoint : std::string(call.endpoint);
    if (endpoint.empty()) {
        return failure(concat(call.client, " names no node to connect to: say --endpoint ADDRESS:", kPort));
    }
    const auto address = parse_internet_address(endpoint);
    if (!address) {
        return with_context("the endpoint", address.error());
    }
    return Way{std::move(*identity), *address, {}};
}

Result<Way> way_of_node(const NodeCall& call) {
    const auto config = running_config();
    if (!config) {
        return std::unexpected(config.error());
    }
    const auto secret = cluster_secret(*config);
    if (!secret) {
        return std::unexpected(secret.error());
    }
    const auto address =
        find_node(read_file("/etc/hosts").value_or(std::string()), call.node, mesh_range(*config, *secret));
    if (!address) {
        return std::unexpected(address.error());
    }
    const auto stored = mesh::choose_secret(std::string(kMeshFolder), *secret);
    return Way{node_identity(stored.secret, host_name()), socket_address(*address, kPort), kMeshDevice};
}

}  // namespace

int service_main() {
    ::signal(SIGPIPE, SIG_IGN);
    const auto config = running_config();
    auto settings = config ? server_settings(*config) : std::unexpected(config.error());
    if (!settings) {
        return complain(settings.error());
    }
    auto loop = EventLoop::make();
    if (!loop) {
        return complain(loop.error());
    }
    Server server(*loop, std::move(*settings));
    if (auto opened = server.open(); !opened) {
        return complain(opened.error());
    }
    while (true) {
        loop->wait(server.next_deadline());
        server.on_time();
    }
}

int node_command_main(std::span<const std::string_view> arguments) {
    const auto call = read_arguments(arguments);
    if (!call) {
        return complain_usage(concat("thole: ", call.error().message, "\n", kUsage));
    }
    if (call->client.empty() && call->node == host_name()) {
        return thole_main(arguments.last(call->words.size()));
    }
    const auto way = call->client.empty() ? way_of_node(*call) : way_of_client(*call);
    if (!way) {
        return complain(way.error());
    }
    const auto status =
        ask_node(way->identity, way->address, way->device, {std::string(call->node), call->words},
                 [](FrameKind stream, std::string_view text) {
                     (void)write_all(stream == FrameKind::output ? STDOUT_FILENO : STDERR_FILENO, text, "the output");
                 });
    return status ? *status : complain(Error{concat(call->node, ": ", status.error().message), 0});
}

int new_client_main(std::span<const std::string_view> arguments) {
    if (arguments.size() < 4 || arguments.size() > 5) {
        return complain_usage("usage: thole remote-client FILE NAME read-only|admin DAYS [ENDPOINT]\n");
    }
    const std::string path(arguments[0]);
    NodeConfig config;
    if (auto read = add_ini_file(config, path, path); !read) {
        return complain(read.error());
    }
    const auto secret = cluster_secret(config);
    const auto days = parse_integer(arguments[3], 0, 3650);
    const auto id = random_block();
    if (!secret || !days || !id) {
        return complain(!secret ? secret.error() : !days ? days.error() : id.error());
    }
    Grant grant{*id, role_of(arguments[2]), 0, std::string(arguments[1])};
    if (auto named = check_hostname(grant.name, kLongestName); !named || grant.role == Role::none) {
        return complain(named ? Error{concat("'", arguments[2], "' is neither read-only nor admin"), 0}
                              : named.error());
    }
    grant.expires = static_cast<std::uint64_t>(::time(nullptr) + *days * 86'400);
    mesh::Secret key = grant_key(*secret, grant);
    const std::string endpoint(arguments.size() == 5 ? arguments[4] : "");
    print(client_file({std::move(grant), std::move(key), endpoint}, config.text("mesh.cluster")));
    return kDone;
}

}  // namespace thole::remote
