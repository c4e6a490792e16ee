// The packet filter is put in force by nft(8), at boot and by `thole firewall`.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"
#include "config/node_config.hpp"
#include "os/console.hpp"

namespace thole {

/// node.ini's rules as a text for nft, those for Kubernetes where the image has it.
std::string node_rules(const NodeConfig& config);

/// Puts the rules of node.ini in force, or takes them away where it says so. Before it has done all of it, all is as it
/// was before. The error has nft's own words.
Status apply_firewall(const NodeConfig& config);

/// Boot's call, before the first interface goes up. In a container it leaves the packet filter to the engine.
Status start_firewall(Console& console, const NodeConfig& config, bool in_container);

/// Puts rules of another part of the node in force, in one transaction; `file` is where nft reads them. `tried` is for
/// the error: "cannot TRIED: ...".
Status apply_rules(const std::string& file, std::string_view rules, std::string_view tried);

/// The rules in force, as nft lists them; an error where there are none.
Result<std::string> actual_firewall();

/// Nothing where the rules of node.ini are those in force; else what is different.
Status check_firewall(const NodeConfig& config);

}  // namespace thole
