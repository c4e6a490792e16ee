// What a node announces for its services, and whose pods are routed where.
#include <doctest/doctest.h>

#include "announcement.hpp"
#include "base/text.hpp"
#include "pod_networks.hpp"

using namespace thole;
using namespace thole::mesh;

namespace {

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

PublicKey key_of(std::uint8_t first) {
    PublicKey key;
    key.bytes[0] = first;
    return key;
}

PodNetwork pods(std::uint8_t key, std::string_view network, std::uint64_t settled) {
    return {.key = key_of(key), .network = *parse_network(network), .settled = settled};
}

PodRules rules() {
    return {.ranges = {*parse_network("10.42.0.0/16"), *parse_network("fd00:42::/56")},
            .mesh = {*parse_network("10.41.0.0/16"), *parse_network("fd00:41::/64")},
            .own = {*parse_network("10.42.7.0/24")}};
}

std::string text_of(const std::vector<PodNetwork>& all) {
    std::string text;
    for (const PodNetwork& one : all) {
        append(text, static_cast<unsigned>(one.key.bytes[0]), ":", network_text(one.network), " ");
    }
    return text;
}

std::string trouble(std::string_view text) {
    const auto read = parse_announcement(text);
    return read ? "" : read.error().message;
}

}  // namespace

TEST_CASE("an announcement") {
    const auto read =
        parse_announcement("# made by a service\nrole kubernetes-server\n\npods 10.42.3.0/24\npods fd00:42::/64\n");
    REQUIRE(read);
    CHECK(read->roles == std::vector<std::string>{"kubernetes-server"});
    REQUIRE(read->pods.size() == 2);
    CHECK(network_text(read->pods[1]) == "fd00:42::/64");
    CHECK(parse_announcement("")->roles.empty());
}

TEST_CASE("an announcement that is none is refused with its line") {
    CHECK(contains(trouble("role a\npod 10.42.3.0/24\n"), "line 2: expected 'role WORD' or 'pods NETWORK/PREFIX'"));
    CHECK(contains(trouble("role\n"), "line 1"));
    CHECK(contains(trouble("role A b\n"), "line 1"));
    CHECK(contains(trouble("role Big\n"), "'Big' is not a name"));
    CHECK(contains(trouble("pods 10.42.3.0\n"), "line 1"));
    CHECK(contains(trouble("pods 10.42.3.9/24\n"), "it would be 10.42.3.0/24"));
    CHECK(contains(trouble("pods 10.42.1.0/24\npods 10.42.2.0/24\npods 10.42.3.0/24\n"), "line 3: more than 2"));
}

TEST_CASE("roles of node.ini and of services are told together, each once") {
    const auto announcement = parse_announcement("role kubernetes-server\nrole storage\n");
    REQUIRE(announcement);
    CHECK(*all_roles("storage gpu", *announcement) == "storage gpu kubernetes-server");
    CHECK(all_roles("", {})->empty());
    const auto long_one = all_roles(std::string(60, 'a'), *announcement);
    REQUIRE_FALSE(long_one);
    CHECK(contains(long_one.error().message, "longer than the 64 letters"));
}

TEST_CASE("pods are routed within their range alone, and nobody's twice") {
    const auto decision = decide_pods(
        {
            pods(1, "10.42.1.0/24", 5),    // good
            pods(2, "10.43.1.0/24", 5),    // of another range
            pods(3, "10.42.0.0/16", 5),    // too wide
            pods(4, "10.42.7.128/25", 5),  // this node's own
            pods(5, "10.42.1.0/25", 9),    // another's
            pods(6, "fd00:42::/64", 5),    // good
            pods(7, "0.0.0.0/0", 1),
            pods(8, "10.41.3.0/24", 1),
        },
        rules());
    CHECK(text_of(decision.routed) == "1:10.42.1.0/24 6:fd00:42::/64 ");
    CHECK(decision.refused.size() == 6);
}

TEST_CASE("of two that overlap the node that is there longer has its pods, whatever the order") {
    const PodNetwork old = pods(9, "10.42.1.0/24", 10);
    const PodNetwork young = pods(1, "10.42.1.0/24", 11);
    const PodNetwork unsettled = pods(2, "10.42.1.64/26", 0);
    const PodNetwork twin = pods(8, "10.42.1.0/24", 10);
    CHECK(text_of(decide_pods({young, unsettled, old}, rules()).routed) == "9:10.42.1.0/24 ");
    CHECK(text_of(decide_pods({old, young, unsettled}, rules()).routed) == "9:10.42.1.0/24 ");
    CHECK(text_of(decide_pods({old, twin}, rules()).routed) == "8:10.42.1.0/24 ");
    PodNetwork made_anew = young;
    made_anew.reached = true;
    CHECK(text_of(decide_pods({old, made_anew}, rules()).routed) == "1:10.42.1.0/24 ");
}

TEST_CASE("one node's pods") {
    const auto decision =
        decide_pods({pods(3, "10.42.3.0/24", 1), pods(1, "10.42.1.0/24", 2), pods(3, "fd00:42::/64", 1)}, rules());
    CHECK(pods_of(decision.routed, key_of(3)).size() == 2);
    CHECK(pods_of(decision.routed, key_of(1)).size() == 1);
    CHECK(pods_of(decision.routed, key_of(2)).empty());
}
