#include "rules.hpp"

#include "base/text.hpp"

namespace thole {

namespace {

constexpr std::int64_t kMeshPort = 51'871;
constexpr std::uint16_t kRemotePort = 51874;  // services/remote/wires.hpp

/// What comes in, in order. Echo requests have their limit before anything else accepts them; a limit for all senders
/// together is enough, because the node is not alone in having one.
constexpr std::string_view kInputHead =
    "    # answers to ping: 50 a second, for all who are not trusted together\n"
    "    icmp type echo-request limit rate 50/second burst 100 packets accept\n"
    "    icmp type echo-request counter drop\n"
    "    icmpv6 type echo-request limit rate 50/second burst 100 packets accept\n"
    "    icmpv6 type echo-request counter drop\n"
    "    # neighbours, routers and multicast groups: nothing of IPv6 works without them\n"
    "    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } ip6 hoplimit 255 accept\n"
    "    icmpv6 type { mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report } "
    "ip6 saddr { ::, fe80::/10 } accept\n"
    "    ip protocol igmp accept\n"
    "    ct state established,related accept\n"
    "    ct state invalid counter drop\n"
    "    icmp type { destination-unreachable, time-exceeded, parameter-problem } accept\n"
    "    icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem } accept\n"
    "    # a lease is answered by broadcast, or from another address than was asked\n"
    "    udp sport 67 udp dport 68 accept\n"
    "    ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept\n";

/// The chains and where they hang, without rules. They stay when rules are replaced: a chain that takes the place of
/// another is for a moment in force without its policy, and there are packets that see neither's rules.
constexpr std::string_view kChains =
    " {\n"
    "  chain trusted {\n"
    "  }\n"
    "  chain input {\n"
    "    type filter hook input priority filter; policy drop;\n"
    "  }\n"
    "  chain forward {\n"
    "    type filter hook forward priority filter; policy drop;\n"
    "  }\n"
    "  chain output {\n"
    "    type filter hook output priority filter; policy accept;\n"
    "  }\n"
    "}\n";

/// Connections that Services take to pods have had their destination changed (kube-proxy, host ports). The last rule
/// drops what the policy would: in a chain that is new, rules are in force before the policy is.
constexpr std::string_view kForward =
    "    ct state established,related accept\n"
    "    ct state invalid counter drop\n"
    "    jump trusted\n"
    "    ct status dnat accept\n"
    "    counter drop\n"
    "  }\n";

/// A Service's address whose destination nobody has changed is no Service's yet, or not any more. Without this the
/// packet would leave by the default route, and a connection that somebody out there takes would go on for as long as
/// it is used.
std::string refuse_services(const FirewallPlan& plan) {
    std::string rules;
    for (const std::string& range : plan.services) {
        append(rules, range.find(':') == std::string::npos ? "    ip daddr " : "    ip6 daddr ", range,
               " counter reject\n");
    }
    return rules;
}

std::string forward_chain(const FirewallPlan& plan) {
    return concat("  chain forward {\n", refuse_services(plan), kForward);
}

std::string output_chain(const FirewallPlan& plan) {
    return concat("  chain output {\n", refuse_services(plan), "  }\n");
}

std::string trusted_chain(const std::vector<std::string>& interfaces) {
    std::string chain = "  chain trusted {\n    iifname \"lo\" accept\n";
    for (const std::string& name : interfaces) {
        append(chain, "    iifname \"", name, "\" accept\n");
    }
    return chain += "  }\n";
}

/// A rule a port and not a set of them: a set takes no ranges that overlap.
std::string allow_rules(const std::vector<PortRange>& allow) {
    std::string rules;
    for (const PortRange& range : allow) {
        append(rules, range.tcp ? "    tcp dport " : "    udp dport ", range.first);
        if (range.last != range.first) {
            append(rules, "-", range.last);
        }
        rules += " accept\n";
    }
    return rules;
}

std::string input_chain(const FirewallPlan& plan) {
    std::string chain = concat("  chain input {\n    jump trusted\n", kInputHead);
    if (plan.mesh_port) {
        append(chain, "    # the mesh: WireGuard, and hellos, which come by broadcast and multicast as well\n",
               "    udp dport ", *plan.mesh_port, "-", *plan.mesh_port + 1, " accept\n");
    }
    if (plan.remote) {
        append(chain, "    # commands of clients: remote.outside\n    tcp dport ", kRemotePort, " accept\n");
    }
    return chain += allow_rules(plan.allow);
}

/// FNV-1a. It tells one text from another; nobody gains by another text of the same hash.
std::uint64_t hash_of(std::string_view text) {
    std::uint64_t hash = 0xCBF29CE484222325U;
    for (const char letter : text) {
        hash = (hash ^ static_cast<unsigned char>(letter)) * 0x100000001B3U;
    }
    return hash;
}

}  // namespace

FirewallPlan firewall_plan(const NodeConfig& config, bool with_kubernetes) {
    FirewallPlan plan;
    for (const auto item : config.list("firewall.allow")) {
        if (const auto range = parse_port_range(item)) {
            plan.allow.push_back(*range);
        }
    }
    for (const auto name : config.list("firewall.trusted")) {
        if (name != "lo") {
            plan.trusted.emplace_back(name);
        }
    }
    if (!config.text("mesh.cluster").empty()) {
        const auto port = parse_integer(config.text("mesh.port"), 1, 65'534);
        plan.mesh_port = static_cast<std::uint16_t>(port.value_or(kMeshPort));
        plan.remote = config.boolean("remote.outside");
    }
    if (with_kubernetes && config.boolean("kubernetes.enabled")) {
        for (const auto range : config.list("kubernetes.service-range")) {
            plan.services.emplace_back(range);
        }
    }
    return plan;
}

std::string firewall_rules(const FirewallPlan& plan) {
    const std::string trusted = trusted_chain(plan.trusted);
    const std::string input = input_chain(plan);
    const std::string others = forward_chain(plan) + output_chain(plan);
    const std::string mark = rules_mark(concat(trusted, input, others));
    return concat("# made from node.ini, see `thole firewall`\ntable ", kFirewallTable, kChains, "flush table ",
                  kFirewallTable, "\ntable ", kFirewallTable, " {\n", trusted, input, "    counter drop comment \"",
                  mark, "\"\n  }\n", others, "}\n");
}

std::string no_firewall_rules() {
    // Declared before it is deleted, because deleting what is not there is an error.
    return concat("table ", kFirewallTable, "\ndelete table ", kFirewallTable, "\n");
}

std::string rules_mark(std::string_view rules) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string mark = "thole-";
    const std::uint64_t hash = hash_of(rules);
    for (unsigned shift = 64; shift > 0;) {
        shift -= 4;
        mark += kDigits[(hash >> shift) & 15U];
    }
    return mark;
}

}  // namespace thole
