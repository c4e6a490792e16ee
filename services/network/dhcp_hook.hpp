// What dhcpcd runs in place of its shell script: the lease becomes resolv.conf, node.env and hosts.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "config/node_config.hpp"
#include "node_files.hpp"

namespace thole {

/// What the lease says, as dhcpcd's environment has it (dhcpcd-run-hooks(8)); only what passed the checks.
struct Lease {
    bool bound = false;  // false: the event brings no address
    std::string interface;
    Address address;
    std::vector<std::string> servers;
    std::string search;
    bool gateway = false;  // the lease has a default route
};

/// Reads NAME=value variables. An address that no machine can have is an error; a bad name server or domain is left
/// out.
Result<Lease> read_lease(std::span<const char* const> environment);

/// Writes the files of a lease. Servers of node.ini go before those of the lease. Returns whether the node's address is
/// another one than before.
Result<bool> apply_lease(const Lease& lease, const NodeConfig& config, std::string_view node_name,
                         const NodeFiles& files);

/// The hook's process. Exit status 0 unless a lease could not be written.
int dhcp_hook_main(int count, char** values);

}  // namespace thole
