#include "early_network.hpp"

#include <string>

#include "base/text.hpp"
#include "boot/program.hpp"
#include "config/address.hpp"
#include "interfaces.hpp"
#include "netlink.hpp"

namespace thole {

namespace {

constexpr std::string_view kLeaseWait = "60";  // seconds

Status set_address(Netlink& netlink, const NodeConfig& config, const std::string& interface, const Network& address) {
    if (auto up = netlink.link_up(interface); !up) {
        return up;
    }
    if (auto added = netlink.add_address(interface, address); !added) {
        return added;
    }
    const auto gateway = parse_address(config.text("network.gateway"));
    const Network everywhere{{address.address.family, {}}, 0};
    return gateway ? netlink.add_route(everywhere, interface, *gateway) : Status();
}

/// One lease, without our hook: there is no place yet for what it writes.
Status ask_for_lease(const std::string& interface) {
    const auto asked = run_program({"/usr/sbin/dhcpcd", "--oneshot", "--waitip=4", "--timeout", std::string(kLeaseWait),
                                    "--persistent", "--script", "", interface});
    if (!asked) {
        return std::unexpected(asked.error());
    }
    return asked->status == 0 ? Status()
                              : failure(concat("no DHCP server gave ", interface, " an address within ", kLeaseWait,
                                               " s: ", trim(asked->output)));
}

}  // namespace

Status start_early_network(const NodeConfig& config) {
    std::string interface(config.text("network.interface"));
    if (interface.empty()) {
        const auto found = hardware_interfaces("/sys");
        if (found.empty()) {
            return failure("this machine has no network interface");
        }
        interface = found.front();
    }
    auto netlink = Netlink::open();
    if (!netlink) {
        return std::unexpected(netlink.error());
    }
    if (auto up = netlink->link_up("lo"); !up) {
        return up;
    }
    const auto address = parse_network(config.text("network.address"));
    return address ? set_address(*netlink, config, interface, *address) : ask_for_lease(interface);
}

}  // namespace thole
