#include "network.hpp"

#include <array>
#include <cerrno>
#include <ctime>
#include <string>
#include <vector>

#include "base/text.hpp"
#include "boot/container.hpp"
#include "config/address.hpp"
#include "config/ranges.hpp"
#include "interfaces.hpp"
#include "netlink.hpp"
#include "node_files.hpp"
#include "os/clock.hpp"
#include "os/file.hpp"

namespace thole {

namespace {

constexpr Milliseconds kInterfaceWait{5000};
const std::string kDummy = "dummy0";

std::vector<std::string_view> configured_servers(const NodeConfig& config) { return config.list("network.dns"); }

bool is_interface(const std::string& name) { return path_exists("/sys/class/net/" + name); }

/// The interface that gets the address; empty where the machine has none. An interface that was named is waited for.
Result<std::string> choose_interface(const NodeConfig& config) {
    std::string wanted(config.text("network.interface"));
    if (wanted.empty()) {
        const auto found = hardware_interfaces("/sys");
        return found.empty() ? std::string() : found.front();
    }
    const Instant deadline = now() + kInterfaceWait;
    while (!is_interface(wanted)) {
        if (now() >= deadline) {
            const auto found = hardware_interfaces("/sys");
            return failure(concat("network.interface '", wanted, "' (", config.origin("network.interface"),
                                  ") is not there after ", duration_text(kInterfaceWait), "; this machine has ",
                                  found.empty() ? "none" : join(found, ", ")));
        }
        const timespec pause{0, 20'000'000};
        ::nanosleep(&pause, nullptr);
    }
    return wanted;
}

/// The name servers of a resolv.conf that somebody else wrote.
std::vector<std::string_view> servers_in(std::string_view text) {
    std::vector<std::string_view> servers;
    for (const auto line : split(text, '\n')) {
        const auto words = split_words(line);
        if (words.size() > 1 && words[0] == "nameserver") {
            servers.push_back(words[1]);
        }
    }
    return servers;
}

/// An engine mounts its file through the link in /etc, at the very place of ours, wherever /run is a volume. It stays
/// there; where node.ini names servers they go into it.
Status adopt_name_servers(Console& console, const NodeConfig& config) {
    const auto own = configured_servers(config);
    const auto text = read_file("/etc/resolv.conf");
    const auto servers = own.empty() ? servers_in(text ? std::string_view(*text) : std::string_view()) : own;
    auto written = write_resolv_conf({}, servers, "");
    if (written || written.error().code != EBUSY) {
        return written;
    }
    if (own.empty()) {
        return {};
    }
    if (auto done = overwrite_resolv_conf({}, servers); !done) {
        console.line(concat("network  ", done.error().message, "; the name servers are the engine's, not network.dns"));
    }
    return {};
}

/// A kernel that has no dummy interfaces gives a container none: the node then has its address on no interface.
Status configure_dummy(Console& console, Netlink& netlink, const NodeConfig& config) {
    const Network address = *parse_network(kDummyAddress);
    auto done = netlink.add_dummy(kDummy);
    if (!done && runs_in_container()) {
        console.line(concat("network  ", done.error().message, "; only processes of this container reach it"));
        done = adopt_name_servers(console, config);
        return done ? write_address({.root = {}, .in_container = true}, config.text("node.name"), address.address)
                    : done;
    }
    done = done ? netlink.link_up(kDummy) : done;
    done = done ? netlink.add_address(kDummy, address) : done;
    done = done ? route_services(config, kDummy) : done;
    const NodeFiles files{.root = {}, .in_container = runs_in_container()};
    if (done) {
        done = files.in_container ? adopt_name_servers(console, config)
                                  : write_resolv_conf(files, configured_servers(config), "");
    }
    return done ? write_address(files, config.text("node.name"), address.address) : done;
}

Status configure_static(Netlink& netlink, const NodeConfig& config, const std::string& interface,
                        const Network& address) {
    if (auto added = netlink.add_address(interface, address); !added) {
        return added;
    }
    const auto gateway = parse_address(config.text("network.gateway"));
    const Network everywhere{{address.address.family, {}}, 0};
    auto routed = gateway ? netlink.add_route(everywhere, interface, *gateway) : route_services(config, interface);
    routed = routed ? write_resolv_conf({}, configured_servers(config), "") : routed;
    return routed ? write_address({}, config.text("node.name"), address.address) : routed;
}

/// The DHCP unit does the rest.
Status prepare_dhcp(const NodeConfig& config, const std::string& interface) {
    if (auto written = write_resolv_conf({}, configured_servers(config), ""); !written) {
        return written;
    }
    return replace_file(NodeFiles().dhcp(), concat("INTERFACE=", interface, "\n"), 0644);
}

/// A container's first address, IPv4 before IPv6.
Status adopt_container_network(Console& console, Netlink& netlink, const NodeConfig& config) {
    const auto addresses = netlink.addresses();
    if (!addresses) {
        return std::unexpected(addresses.error());
    }
    const InterfaceAddress* chosen = nullptr;
    for (const InterfaceAddress& candidate : *addresses) {
        const bool better = chosen == nullptr ||
                            (chosen->network.address.family == AF_INET6 && candidate.network.address.family == AF_INET);
        chosen = better ? &candidate : chosen;
    }
    if (chosen == nullptr) {
        console.line(concat("network  this container has no network: the node has ", kDummyAddress, " on ", kDummy));
        return configure_dummy(console, netlink, config);
    }
    if (auto adopted = adopt_name_servers(console, config); !adopted) {
        return adopted;
    }
    return write_address({.root = {}, .in_container = true}, config.text("node.name"), chosen->network.address);
}

}  // namespace

Status configure_network(Console& console, const NodeConfig& config, bool in_container) {
    auto netlink = Netlink::open();
    if (!netlink) {
        return std::unexpected(netlink.error());
    }
    if (auto up = netlink->link_up("lo"); !up && !in_container) {  // a container's engine has brought it up already
        return up;
    }
    if (in_container) {
        return adopt_container_network(console, *netlink, config);
    }
    const auto mode = config.text("network.address");
    if (mode == "none") {
        return configure_dummy(console, *netlink, config);
    }
    const auto interface = choose_interface(config);
    if (!interface) {
        return std::unexpected(interface.error());
    }
    const auto address = parse_network(mode);
    if (interface->empty() && address) {
        return failure(
            concat("network.address is ", mode, " (", config.origin("network.address"),
                   "), but this machine has no network interface. Set it to none for a node without a network"));
    }
    if (interface->empty()) {
        console.line(concat("network  no interface: the node has ", kDummyAddress, " on ", kDummy));
        return configure_dummy(console, *netlink, config);
    }
    if (auto up = netlink->link_up(*interface); !up) {
        return up;
    }
    return address ? configure_static(*netlink, config, *interface, *address) : prepare_dhcp(config, *interface);
}

Status route_services(const NodeConfig& config, const std::string& interface) {
    auto netlink = Netlink::open();
    if (!netlink) {
        return std::unexpected(netlink.error());
    }
    for (const auto range : config.list("kubernetes.service-range")) {
        const auto network = parse_network(range);
        if (!network || !config.boolean("kubernetes.enabled")) {
            continue;
        }
        if (auto routed = netlink->add_route(*network, interface, std::nullopt); !routed) {
            return routed;
        }
    }
    return {};
}

}  // namespace thole
