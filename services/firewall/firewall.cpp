#include "firewall.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "boot/program.hpp"
#include "os/file.hpp"
#include "rules.hpp"

namespace thole {

namespace {

constexpr const char* kNft = "/usr/sbin/nft";
constexpr const char* kRules = "/run/thole/firewall.nft";

constexpr std::array kKubernetes{"/usr/lib/thole/units/kubernetes.unit", "/usr/lib/thole/units/k3s.unit"};

std::string wanted_rules(const NodeConfig& config) {
    return config.boolean("firewall.enabled") ? node_rules(config) : no_firewall_rules();
}

/// Runs nft; what it says is the error where it fails.
Result<std::string> run_nft(std::vector<std::string> arguments, std::string_view tried) {
    arguments.insert(arguments.begin(), kNft);
    auto result = run_program(arguments);
    if (!result) {
        return with_context(concat("cannot ", tried), result.error());
    }
    if (result->status != 0) {
        return failure(concat("cannot ", tried, ": nft ended with ", result->status, ": ", trim(result->output)));
    }
    return std::move(result->output);
}

/// The mark in the comment of a table, see rules.hpp.
std::string_view mark_in(std::string_view rules) {
    constexpr std::string_view kComment = "comment \"thole-";
    const auto place = rules.find(kComment);
    if (place == std::string_view::npos) {
        return {};
    }
    rules.remove_prefix(place + sizeof("comment \"") - 1);
    return rules.substr(0, rules.find('"'));
}

}  // namespace

std::string node_rules(const NodeConfig& config) {
    const bool with_kubernetes = std::ranges::any_of(kKubernetes, [](const char* unit) { return path_exists(unit); });
    return firewall_rules(firewall_plan(config, with_kubernetes));
}

Status apply_rules(const std::string& file, std::string_view rules, std::string_view tried) {
    if (auto written = replace_file(file, rules, 0600); !written) {
        return written;
    }
    const auto done = run_nft({"-f", file}, tried);
    return done ? Status() : Status(std::unexpected(done.error()));
}

Status apply_firewall(const NodeConfig& config) {
    return apply_rules(kRules, wanted_rules(config), "set the packet filter");
}

Status start_firewall(Console& console, const NodeConfig& config, bool in_container) {
    if (in_container) {
        console.line("firewall left to the container's engine");
        return {};
    }
    if (!config.boolean("firewall.enabled")) {
        console.line(concat("firewall off (", config.origin("firewall.enabled"), ")"));
        return {};
    }
    const auto applied = apply_firewall(config);
    if (!applied) {
        return failure(concat("The node would be open to its network: ", applied.error().message,
                              "\nIf node.ini is right, firewall.enabled = no lets the node start without a packet "
                              "filter."));
    }
    return {};
}

Result<std::string> actual_firewall() {
    std::vector<std::string> arguments{"list", "table"};
    for (const auto word : split_words(kFirewallTable)) {
        arguments.emplace_back(word);
    }
    return run_nft(std::move(arguments), "list the packet filter");
}

Status check_firewall(const NodeConfig& config) {
    const auto actual = actual_firewall();
    if (!config.boolean("firewall.enabled")) {
        return actual ? failure(
                            "firewall.enabled is no, but there are rules in force; `thole firewall apply` takes "
                            "them away")
                      : Status();
    }
    if (!actual) {
        return with_context("no rules are in force; `thole firewall apply` sets them", actual.error());
    }
    if (mark_in(*actual) != mark_in(wanted_rules(config))) {
        return failure("the rules in force are not those of node.ini; `thole firewall apply` sets them");
    }
    return {};
}

}  // namespace thole
