// What other services read of the node's network: resolv.conf, node.env, hosts.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "config/address.hpp"

namespace thole {

/// Where the files lie: the machine's root, or a folder in tests.
struct NodeFiles {
    std::string root;
    bool in_container = false;  // its hosts file is its engine's

    [[nodiscard]] std::string resolv_conf() const { return root + "/run/thole/resolv.conf"; }
    [[nodiscard]] std::string environment() const { return root + "/run/thole/node.env"; }
    [[nodiscard]] std::string hosts() const { return root + "/etc/hosts"; }
    [[nodiscard]] std::string hosts_lock() const { return root + "/run/thole/hosts.lock"; }
    [[nodiscard]] std::string dhcp() const { return root + "/run/thole/dhcp.env"; }
};

/// The text of a resolv.conf: at most three servers, none of them loopback, because pods get this file too.
std::string resolv_text(std::span<const std::string_view> servers, std::string_view search);

/// NODE_NAME and NODE_ADDRESS, for units' environment-file.
std::string environment_text(std::string_view node_name, std::string_view address);

/// Replaces node.env and hosts as soon as the node has an address.
Status write_address(const NodeFiles& files, std::string_view node_name, const Address& address);

/// Replaces what the hosts file says of the mesh's other nodes: lines "ADDRESS NAME". The rest of it stays.
Status write_mesh_names(const NodeFiles& files, std::string_view lines);

/// A hosts file with these lines of the mesh in place of those that it had.
std::string with_mesh_names(std::string_view hosts, std::string_view lines);

/// The lines of the mesh in a hosts file.
std::string_view mesh_names_in(std::string_view hosts);

Status write_resolv_conf(const NodeFiles& files, std::span<const std::string_view> servers, std::string_view search);

/// Into the file that is there, which may be a mount point and so cannot be replaced.
Status overwrite_resolv_conf(const NodeFiles& files, std::span<const std::string_view> servers);

}  // namespace thole
