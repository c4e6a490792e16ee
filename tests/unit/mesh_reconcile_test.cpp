// What is changed so that the kernel has what the mesh wants.
#include <doctest/doctest.h>

#include "mesh_scene.hpp"
#include "reconcile.hpp"

using namespace thole;
using namespace thole::mesh;

namespace {

std::vector<Network> networks(std::initializer_list<std::string_view> texts) {
    std::vector<Network> list;
    for (const auto text : texts) {
        list.push_back(parse_network(text).value());
    }
    return list;
}

std::vector<std::string> texts(const std::vector<Network>& list) {
    std::vector<std::string> all;
    for (const Network& network : list) {
        all.push_back(network_text(network));
    }
    return all;
}

WantedPeer wanted_peer(std::uint32_t number, std::initializer_list<std::string_view> allowed) {
    WantedPeer peer;
    peer.key = public_key(number);
    peer.endpoint = endpoint("203.0.113.1");
    peer.keepalive = std::chrono::seconds(25);
    peer.allowed = networks(allowed);
    return peer;
}

/// What the kernel does with changes: an allowed network goes to the peer that had it last.
void carry_out(Device& device, const std::vector<PeerChange>& changes) {
    for (const PeerChange& change : changes) {
        auto place = std::ranges::find(device.peers, change.key, &DevicePeer::key);
        if (change.remove) {
            REQUIRE(place != device.peers.end());
            device.peers.erase(place);
            continue;
        }
        if (place == device.peers.end()) {
            device.peers.emplace_back().key = change.key;
            place = device.peers.end() - 1;
        }
        place->endpoint = change.endpoint ? change.endpoint : place->endpoint;
        place->keepalive = change.keepalive.value_or(place->keepalive);
        if (!change.allowed) {
            continue;
        }
        const auto taken = texts(*change.allowed);
        for (DevicePeer& other : device.peers) {
            std::erase_if(other.allowed, [&taken](const Network& network) {
                return std::ranges::find(taken, network_text(network)) != taken.end();
            });
        }
        place->allowed = *change.allowed;
    }
}

}  // namespace

TEST_CASE("nothing differs: nothing is changed") {
    Device device;
    const std::vector wanted{wanted_peer(1, {"10.41.0.1/32", "fd00::1/128"}), wanted_peer(2, {"10.41.0.2/32"})};
    CHECK(peer_changes(wanted, device).size() == 2);
    carry_out(device, peer_changes(wanted, device));
    CHECK(peer_changes(wanted, device).empty());
    CHECK(peer_differences(wanted, device).empty());
    // Order and host bits are no difference.
    std::ranges::reverse(device.peers);
    std::ranges::reverse(device.peers[1].allowed);
    CHECK(peer_changes(wanted, device).empty());
}

TEST_CASE("one peer of many differs: one change, with what differs alone") {
    Device device;
    std::vector<WantedPeer> wanted;
    for (std::uint32_t number = 0; number < 500; ++number) {
        wanted.push_back(wanted_peer(number, {}));
        wanted.back().allowed = {{mesh_ipv6(test_ranges().ipv6, public_key(number)), 128}};
    }
    carry_out(device, peer_changes(wanted, device));
    wanted[250].keepalive = std::chrono::seconds(0);
    const auto changes = peer_changes(wanted, device);
    REQUIRE(changes.size() == 1);
    CHECK(changes[0].key == public_key(250));
    CHECK(changes[0].keepalive == std::chrono::seconds(0));
    CHECK_FALSE(changes[0].endpoint);
    CHECK_FALSE(changes[0].allowed);
    REQUIRE(peer_differences(wanted, device).size() == 1);
    CHECK(peer_differences(wanted, device)[0].wanted == "0 s");
}

TEST_CASE("an endpoint that the kernel has is left, unless the mesh moves the peer") {
    Device device;
    std::vector wanted{wanted_peer(1, {"10.41.0.1/32"})};
    carry_out(device, peer_changes(wanted, device));
    device.peers[0].endpoint = endpoint("198.51.100.77", 9);
    CHECK(peer_changes(wanted, device).empty());
    wanted[0].move = true;
    REQUIRE(peer_changes(wanted, device).size() == 1);
    CHECK(peer_changes(wanted, device)[0].endpoint == wanted[0].endpoint);
    carry_out(device, peer_changes(wanted, device));
    CHECK(peer_changes(wanted, device).empty());
    wanted[0].endpoint.reset();
    CHECK(peer_changes(wanted, device).empty());
}

TEST_CASE("a peer that nobody wants goes") {
    Device device;
    carry_out(device, peer_changes(std::vector{wanted_peer(1, {"10.41.0.1/32"})}, device));
    const auto changes = peer_changes({}, device);
    REQUIRE(changes.size() == 1);
    CHECK(changes[0].remove);
    CHECK(peer_differences({}, device)[0].actual == "10.41.0.1/32");
    CHECK(peer_differences({}, device)[0].wanted.empty());
}

TEST_CASE("networks that move: removals, then losses, then gains") {
    Device device;
    const std::vector before{wanted_peer(1, {"10.41.0.1/32", "10.42.1.0/24"}), wanted_peer(2, {"10.41.0.2/32"}),
                             wanted_peer(3, {"10.41.0.3/32"})};
    carry_out(device, peer_changes(before, device));
    const std::vector after{wanted_peer(1, {"10.41.0.1/32"}),
                            wanted_peer(2, {"10.41.0.2/32", "10.42.1.0/24", "10.41.0.3/32"})};
    const auto changes = peer_changes(after, device);
    REQUIRE(changes.size() == 3);
    CHECK(changes[0].remove);
    CHECK(changes[1].key == public_key(1));
    CHECK(changes[2].key == public_key(2));
    carry_out(device, changes);
    CHECK(peer_changes(after, device).empty());
}

TEST_CASE("two peers exchange their networks") {
    Device device;
    carry_out(device,
              peer_changes(std::vector{wanted_peer(1, {"10.41.0.1/32"}), wanted_peer(2, {"10.41.0.2/32"})}, device));
    const std::vector after{wanted_peer(1, {"10.41.0.2/32"}), wanted_peer(2, {"10.41.0.1/32"})};
    carry_out(device, peer_changes(after, device));
    CHECK(peer_changes(after, device).empty());
}

TEST_CASE("a network that two want is the first's, and stays so") {
    Device device;
    const std::vector wanted{wanted_peer(2, {"10.41.0.1/32"}), wanted_peer(1, {"10.41.0.1/32", "10.41.0.9/32"}),
                             wanted_peer(1, {"10.41.0.77/32"})};
    carry_out(device, peer_changes(wanted, device));
    CHECK(peer_changes(wanted, device).empty());
    REQUIRE(device.peers.size() == 2);
    const auto first = std::ranges::find(device.peers, public_key(2), &DevicePeer::key);
    CHECK(texts(first->allowed) == std::vector<std::string>{"10.41.0.1/32"});
}

TEST_CASE("addresses and routes") {
    const auto addresses = address_changes(networks({"10.41.3.4/16", "fd00::1/64"}),
                                           networks({"10.41.3.5/16", "fd00::1/64", "10.41.3.4/32"}));
    CHECK(texts(addresses.add) == std::vector<std::string>{"10.41.3.4/16"});
    CHECK(texts(addresses.remove) == std::vector<std::string>{"10.41.3.4/32", "10.41.3.5/16"});
    const auto routes = route_changes(networks({"10.42.1.9/24", "10.42.1.0/24"}), networks({"10.42.1.0/24"}));
    CHECK(routes.add.empty());
    CHECK(routes.remove.empty());
    CHECK(network_differences("address", addresses).size() == 3);
}
