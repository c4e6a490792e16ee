// Who this node is: machine-id, name, and the files in /etc that say so.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"

namespace thole {

/// The 32 hexadecimal digits in `path`; made from the kernel's random numbers and saved there on first use. A file with
/// anything else in it is an error: an identity is never replaced silently.
Result<std::string> machine_id(const std::string& path);

/// "thole-" and the first six digits.
std::string derived_node_name(std::string_view machine_id);

/// The text of /etc/hosts. Until the node has an address its name stands for 127.0.1.1.
std::string hosts_text(std::string_view node_name, std::string_view address);

/// In a container the hosts file is its engine's, with names that the engine was asked to put there: where it does not
/// name the node yet it gets a line more.
Status complete_hosts(const std::string& path, std::string_view node_name, std::string_view address);

/// A container's own host name, where its engine has given it one that can be a node's name; else empty.
std::string container_name();

/// Writes /etc/machine-id, /etc/hostname and /etc/hosts below `root`, and sets the host name.
Status write_identity(const std::string& root, std::string_view id, std::string_view node_name, bool in_container);

}  // namespace thole
