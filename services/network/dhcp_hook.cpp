#include "dhcp_hook.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/text.hpp"
#include "config/sources.hpp"
#include "config/value.hpp"
#include "network.hpp"
#include "os/file.hpp"
#include "os/host_name.hpp"
#include "os/notify_sender.hpp"

namespace thole {

namespace {

std::string_view variable(std::span<const char* const> environment, std::string_view name) {
    for (const std::string_view entry : environment) {
        if (entry.starts_with(name) && entry.substr(name.size()).starts_with('=')) {
            return entry.substr(name.size() + 1);
        }
    }
    return {};
}

/// The events that bring an address: a new lease, a renewed one, and an old one used while no server answers.
bool brings_address(std::string_view reason) {
    static constexpr std::array<std::string_view, 5> kReasons{"BOUND", "RENEW", "REBIND", "REBOOT", "TIMEOUT"};
    return std::ranges::find(kReasons, reason) != kReasons.end();
}

std::string valid_domains(std::string_view text) {
    constexpr std::size_t kLongest = 253;
    constexpr int kMost = 6;
    std::string domains;
    int count = 0;
    for (auto word : split_words(text)) {
        if (word.ends_with('.')) {
            word.remove_suffix(1);
        }
        if (count < kMost && check_hostname(word, kLongest)) {
            domains += concat(domains.empty() ? "" : " ", word);
            ++count;
        }
    }
    return domains;
}

std::string address_before(const NodeFiles& files) {
    const auto text = read_file(files.environment());
    for (const auto line : split(text ? std::string_view(*text) : std::string_view(), '\n')) {
        if (line.starts_with("NODE_ADDRESS=")) {
            return std::string(line.substr(line.find('=') + 1));
        }
    }
    return {};
}

void say(std::string_view text) { (void)write_all(STDERR_FILENO, concat("dhcp-hook: ", text, "\n"), "standard error"); }

Status handle(std::span<const char* const> environment) {
    const auto lease = read_lease(environment);
    if (!lease) {
        return std::unexpected(lease.error());
    }
    if (!lease->bound) {
        return {};
    }
    const auto config = load_node_config("", false, {});
    if (!config) {
        return std::unexpected(config.error());
    }
    const auto changed = apply_lease(*lease, *config, host_name(), {});
    if (!changed) {
        return std::unexpected(changed.error());
    }
    if (*changed) {
        say(concat("the node's address is now ", address_text(lease->address),
                   "; services started before keep the old one: restart the node"));
    }
    if (!lease->gateway) {
        if (auto routed = route_services(*config, lease->interface); !routed) {
            return routed;
        }
    }
    return notify_and_wait(variable(environment, "NOTIFY_SOCKET"),
                           concat("READY=1\nSTATUS=", address_text(lease->address), " on ", lease->interface, "\n"));
}

}  // namespace

Result<Lease> read_lease(std::span<const char* const> environment) {
    Lease lease;
    if (!brings_address(variable(environment, "reason"))) {
        return lease;
    }
    lease.interface = variable(environment, "interface");
    if (!is_interface_name(lease.interface)) {
        return failure(concat("'", lease.interface, "' is not the name of an interface"));
    }
    const auto address = parse_address(variable(environment, "new_ip_address"));
    if (!address) {
        return with_context("the lease's address", address.error());
    }
    if (const auto reason = unusable_reason(*address); !reason.empty()) {
        return failure(concat("the lease's address ", address_text(*address), " cannot be used: ", reason));
    }
    lease.bound = true;
    lease.address = *address;
    for (const auto server : split_words(variable(environment, "new_domain_name_servers"))) {
        if (parse_address(server)) {
            lease.servers.emplace_back(server);
        }
    }
    const auto search = variable(environment, "new_domain_search");
    lease.search = valid_domains(search.empty() ? variable(environment, "new_domain_name") : search);
    const bool classless =
        variable(environment, "new_classless_static_routes").find("0.0.0.0/0") != std::string_view::npos;
    lease.gateway = classless || !variable(environment, "new_routers").empty();
    return lease;
}

Result<bool> apply_lease(const Lease& lease, const NodeConfig& config, std::string_view node_name,
                         const NodeFiles& files) {
    const std::string before = address_before(files);
    auto servers = config.list("network.dns");
    if (servers.empty()) {
        servers.assign(lease.servers.begin(), lease.servers.end());
    }
    if (auto written = write_resolv_conf(files, servers, lease.search); !written) {
        return std::unexpected(written.error());
    }
    if (auto written = write_address(files, node_name, lease.address); !written) {
        return std::unexpected(written.error());
    }
    return !before.empty() && before != address_text(lease.address);
}

int dhcp_hook_main(int /*count*/, char** /*values*/) {
    std::vector<const char*> environment;
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
        environment.push_back(*entry);
    }
    if (const auto handled = handle(environment); !handled) {
        say(handled.error().message);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}

}  // namespace thole
