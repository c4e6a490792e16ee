// The node's packet filter as a text for nft(8). No system calls.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/node_config.hpp"
#include "config/port_range.hpp"

namespace thole {

/// The one table that is ours; no other is read or changed.
inline constexpr std::string_view kFirewallTable = "inet thole";

struct FirewallPlan {
    std::vector<PortRange> allow;
    std::vector<std::string> trusted;        // interfaces besides lo; `*` at the end stands for any more letters
    std::optional<std::uint16_t> mesh_port;  // of WireGuard; nothing: the node is in no mesh
    bool remote = false;                     // clients outside may send commands
    std::vector<std::string> services;       // ranges of Kubernetes' Services, which are no places of a network
};

/// `with_kubernetes`: the image has it, so that its ranges mean something.
FirewallPlan firewall_plan(const NodeConfig& config, bool with_kubernetes);

/// All of the table, in one transaction: every packet meets the rules from before it or those of it. The last rule of
/// the input chain has a comment by which the text in force is known again, see rules_mark().
std::string firewall_rules(const FirewallPlan& plan);

/// Takes the table away, in one transaction.
std::string no_firewall_rules();

/// "thole-" and 16 hexadecimal digits of the rules' hash, as they stand in that comment.
std::string rules_mark(std::string_view rules);

}  // namespace thole
