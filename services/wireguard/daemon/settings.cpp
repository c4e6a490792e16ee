#include "settings.hpp"

#include "base/text.hpp"

namespace thole::mesh {

namespace {

Result<ClusterSecret> read_secret(const NodeConfig& config, std::string_view key) {
    if (config.text(key).empty()) {
        return failure(concat("mesh.cluster is ", config.text("mesh.cluster"), " (", config.origin("mesh.cluster"),
                              "), but there is no ", key, ": hand over the file that `./thole config new` wrote"));
    }
    auto secret = ClusterSecret::parse(config.text(key));
    return secret ? std::move(secret) : with_context(concat(key, " (", config.origin(key), ")"), secret.error());
}

std::vector<NamedPlace> places(const NodeConfig& config, std::string_view key, std::uint16_t port) {
    std::vector<NamedPlace> all;
    for (const auto item : config.list(key)) {
        all.push_back(split_place(item, port));
    }
    return all;
}

/// Words with one blank between, as records have them; those that do not fit are left out.
std::string role_words(const NodeConfig& config) {
    std::string words;
    for (const auto role : config.list("node.roles")) {
        if (words.size() + role.size() + 1 <= kLongestRoles) {
            append(words, words.empty() ? "" : " ", role);
        }
    }
    return words;
}

}  // namespace

NamedPlace split_place(std::string_view text, std::uint16_t port) {
    const auto colon = text.rfind(':');
    const bool bare_ipv6 = !text.starts_with('[') && text.find(':') != colon;
    if (colon == std::string_view::npos || bare_ipv6 || text.ends_with(']')) {
        if (text.starts_with('[')) {
            text = text.substr(1, text.size() - 2);
        }
        return {std::string(text), port};
    }
    std::string_view host = text.substr(0, colon);
    if (host.starts_with('[')) {
        host = host.substr(1, host.size() - 2);
    }
    const auto number = parse_integer(text.substr(colon + 1), 1, 65535);
    return {std::string(host), number ? static_cast<std::uint16_t>(*number) : port};
}

std::vector<Endpoint> discovery_places(std::uint16_t port) {
    return {{*parse_address("255.255.255.255"), port}, {*parse_address("ff12::7468:6f6c:65"), port}};
}

Result<DaemonSettings> read_settings(const NodeConfig& config, std::string_view node_name) {
    auto secret = read_secret(config, "mesh.secret");
    if (!secret) {
        return std::unexpected(secret.error());
    }
    std::optional<ClusterSecret> previous;
    if (!config.text("mesh.previous-secret").empty()) {
        auto read = read_secret(config, "mesh.previous-secret");
        if (!read) {
            return std::unexpected(read.error());
        }
        previous.emplace(std::move(*read));
    }
    const auto range = parse_network(config.text("mesh.range"));
    if (!range) {
        return with_context("mesh.range", range.error());
    }
    if (auto checked = check_mesh_range(*range); !checked) {
        return with_context("mesh.range", checked.error());
    }
    const auto ula = parse_network(config.text("mesh.ula"));
    const auto address = parse_address(config.text("mesh.address"));
    const auto port = parse_integer(config.text("mesh.port"), 1, 65533);
    const auto mtu = parse_integer(config.text("mesh.mtu"), 0, 65535);
    DaemonSettings settings{.cluster = std::string(config.text("mesh.cluster")),
                            .name = std::string(node_name),
                            .roles = role_words(config),
                            .secret = std::move(*secret),
                            .previous_secret = std::move(previous),
                            .ranges = {*range, {}},
                            .fixed_ipv4 = address ? std::optional(*address) : std::nullopt,
                            .port = static_cast<std::uint16_t>(port.value_or(51871)),
                            .mtu = static_cast<unsigned>(mtu.value_or(0)),
                            .discovery = config.boolean("mesh.discovery"),
                            .seeds = {},
                            .endpoints = {},
                            .pod_ranges = {}};
    settings.ranges.ipv6 = ula ? *ula : ula_range(settings.secret);
    for (const auto item : config.list("kubernetes.pod-range")) {
        if (const auto pods = parse_network(item)) {
            settings.pod_ranges.push_back(*pods);
        }
    }
    settings.seeds = places(config, "mesh.seeds", settings.greeting_port());
    settings.endpoints = places(config, "mesh.endpoints", settings.port);
    return settings;
}

}  // namespace thole::mesh
