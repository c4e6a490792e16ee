// node.ini's firewall section, and the rules that come of it.
#include <doctest/doctest.h>

#include <array>

#include "base/text.hpp"
#include "config/sources.hpp"
#include "rules.hpp"

using namespace thole;

namespace {

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

Result<NodeConfig> config_of(std::string_view text) {
    NodeConfig config;
    if (auto added = add_ini(config, "node.ini", text, false); !added) {
        return std::unexpected(added.error());
    }
    return config;
}

std::string rules_of(std::string_view text) {
    const auto config = config_of(text);
    REQUIRE(config);
    return firewall_rules(firewall_plan(*config, true));
}

std::string refusal(std::string_view text) {
    const auto config = config_of(text);
    REQUIRE_FALSE(config);
    return config.error().message;
}

}  // namespace

TEST_CASE("the defaults: nobody but the mesh and the pods may connect") {
    const std::string rules = rules_of("");
    CHECK(contains(rules, "iifname \"lo\" accept"));
    CHECK(contains(rules, "iifname \"wg0\" accept"));
    CHECK(contains(rules, "iifname \"veth*\" accept"));
    CHECK_FALSE(contains(rules, "tcp dport"));
    CHECK_FALSE(contains(rules, "51871"));  // no mesh, no port for it
    CHECK(contains(rules, "hook input priority filter; policy drop;"));
    CHECK(contains(rules, "hook forward priority filter; policy drop;"));
}

TEST_CASE("rules are replaced in one transaction, in chains that stay, and no other table is touched") {
    const std::string rules = rules_of("");
    CHECK(contains(rules, "\nflush table inet thole\n"));
    CHECK(rules.find("flush") == rules.rfind("flush"));
    CHECK_FALSE(contains(rules, "delete"));
    CHECK(no_firewall_rules() == "table inet thole\ndelete table inet thole\n");
}

TEST_CASE("ports and interfaces of node.ini") {
    const std::string rules =
        rules_of("[firewall]\nallow = tcp/6443, UDP/8472 tcp/30000-32767 tcp/7-7\ntrusted = lo eth1 br-*\n");
    CHECK(contains(rules, "    tcp dport 6443 accept\n"));
    CHECK(contains(rules, "    udp dport 8472 accept\n"));
    CHECK(contains(rules, "    tcp dport 30000-32767 accept\n"));
    CHECK(contains(rules, "    tcp dport 7 accept\n"));
    CHECK(contains(rules, "iifname \"br-*\" accept"));
    CHECK_FALSE(contains(rules, "wg0"));
    CHECK(rules.find("iifname \"lo\"") == rules.rfind("iifname \"lo\""));
}

TEST_CASE("the mesh's ports are open where the node is in a mesh") {
    FirewallPlan plan;
    plan.mesh_port = 51871;
    CHECK(contains(firewall_rules(plan), "udp dport 51871-51872 accept"));
    CHECK_FALSE(contains(firewall_rules({}), "51871"));
}

TEST_CASE("clients outside get in where node.ini lets them, and only then") {
    FirewallPlan plan;
    CHECK(firewall_rules(plan).find("51874") == std::string::npos);
    plan.remote = true;
    CHECK(firewall_rules(plan).find("tcp dport 51874 accept") != std::string::npos);
}

TEST_CASE("an empty allow takes the image's away") {
    NodeConfig config;
    REQUIRE(add_ini(config, "image", "[firewall]\nallow = tcp/6443\n", false));
    REQUIRE(add_ini(config, "mine", "[firewall]\nallow =\n", false));
    CHECK(firewall_plan(config, true).allow.empty());
}

TEST_CASE("the mark is the same for the same rules only") {
    const auto mark = [](const std::string& rules) {
        return rules.substr(rules.find("\"thole-"), rules.find("\"\n") - rules.find("\"thole-"));
    };
    CHECK(mark(rules_of("")) == mark(rules_of("[firewall]\ntrusted = lo wg0 cni0 veth* jobs0\n")));
    CHECK(mark(rules_of("")) != mark(rules_of("[firewall]\nallow = tcp/1\n")));
    CHECK(rules_mark("").size() == 22);
}

TEST_CASE("ports that are written another way: what was meant") {
    static constexpr std::array<std::array<std::string_view, 2>, 14> kCases{{
        {"6443", "did you mean 'tcp/6443' or 'udp/6443'?"},
        {"6443/tcp", "did you mean 'tcp/6443'?"},
        {"30000-32767/udp", "did you mean 'udp/30000-32767'?"},
        {"tpc/6443", "did you mean 'tcp/6443'?"},
        {"tcp:6443", "did you mean 'tcp/6443'?"},
        {"tcp/", "the port"},
        {"tcp", "such as tcp/6443"},
        {"icmp", "such as tcp/6443"},
        {"tcp/0", "the port"},
        {"tcp/65536", "the port"},
        {"tcp/http", "the port"},
        {"tcp/9-5", "did you mean 'tcp/5-9'?"},
        {"tcp/1-2-3", "the port"},
        {"tcp/1,tcp/1", "twice"},
    }};
    for (const auto& [word, answer] : kCases) {
        const std::string message = refusal(concat("[firewall]\nallow = ", word, "\n"));
        CAPTURE(message);
        CHECK(contains(message, answer));
        CHECK(contains(message, "'allow' in [firewall]"));
    }
}

TEST_CASE("interfaces: nothing that nft could read as more than a name") {
    for (const auto* word : {"*", "eth0\"", "a;b", "et*h", "a{b", "averylonginterface", "\\"}) {
        CHECK_FALSE(config_of(concat("[firewall]\ntrusted = ", word, "\n")));
    }
    CHECK(contains(refusal("[firewall]\ntrusted = *\n"), "firewall.enabled = no"));
}

TEST_CASE("a Service's address that leads nowhere is refused, from the node and through it") {
    const std::string both = rules_of("[kubernetes]\nservice-range = 10.43.0.0/16 fd43::/112\n");
    CHECK(contains(
        both,
        "  chain output {\n    ip daddr 10.43.0.0/16 counter reject\n    ip6 daddr fd43::/112 counter reject\n  }"));
    CHECK(contains(both, "  chain forward {\n    ip daddr 10.43.0.0/16 counter reject\n"));
    CHECK_FALSE(contains(rules_of("[kubernetes]\nenabled = no\n"), "reject"));
    const auto config = config_of("");
    REQUIRE(config);
    CHECK_FALSE(contains(firewall_rules(firewall_plan(*config, false)), "reject"));
}
