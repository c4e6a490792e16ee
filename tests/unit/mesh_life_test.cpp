// Nodes that leave, are forgotten, made anew, or are not what they say, among simulated ones; secrets that change;
// NATs.
#include <doctest/doctest.h>

#include "mesh_cluster.hpp"

using namespace thole;
using namespace thole::mesh;

TEST_CASE("leave: everybody hears of it, and it may come back") {
    Cluster cluster(10, 2);
    cluster.start_all();
    CHECK(cluster.run_until_converged(minutes(1)));
    const std::size_t peers = cluster.nodes[0]->mesh->peer_count();
    cluster.nodes[9]->mesh->leave(cluster.now);
    cluster.run(seconds(5));
    cluster.stop(9);
    CHECK(cluster.run_until_converged(minutes(1)));
    CHECK(cluster.nodes[0]->mesh->peer_count() == peers - 1);
    cluster.start(9);
    CHECK(cluster.run_until_converged(minutes(1)));
    CHECK(cluster.nodes[0]->mesh->peer_count() == peers);
}

TEST_CASE("forget: a node that is gone is gone everywhere, and stays so") {
    Cluster cluster(10, 2);
    cluster.start_all();
    CHECK(cluster.run_until_converged(minutes(1)));
    const PublicKey key = cluster.nodes[9]->settings.key;
    cluster.stop(9);
    CHECK_FALSE(cluster.nodes[3]->mesh->forget(cluster.nodes[3]->settings.key, cluster.now));
    CHECK_FALSE(cluster.nodes[3]->mesh->forget(public_key(77), cluster.now));
    CHECK(cluster.nodes[3]->mesh->forget(key, cluster.now));
    CHECK(cluster.run_until_converged(minutes(1)));
    for (std::size_t index = 0; index < 9; ++index) {
        CHECK_FALSE(cluster.nodes[index]->mesh->wanted(key));
    }
    // It comes back without knowing, and nobody answers.
    cluster.start(9);
    cluster.run(minutes(5));
    CHECK(cluster.nodes[9]->mesh->working_peers() == 0);
    CHECK_FALSE(cluster.nodes[0]->mesh->wanted(key));
}

TEST_CASE("a node that was made anew has its name and address back when its old self is forgotten") {
    Cluster cluster(6, 2);
    const auto address = *parse_address("10.41.1.9");
    cluster.nodes[4]->settings.fixed_ipv4 = cluster.nodes[5]->settings.fixed_ipv4 = address;
    cluster.nodes[4]->settings.name = cluster.nodes[5]->settings.name = "web";
    for (std::size_t index = 0; index < 5; ++index) {
        cluster.start(index);
    }
    CHECK(cluster.run_until_converged(minutes(1)));
    cluster.stop(4);
    cluster.start(5);
    cluster.run(minutes(2));
    const Mesh& anew = *cluster.nodes[5]->mesh;
    CHECK(anew.refused_address());
    CHECK_FALSE(anew.has_ipv4());
    const Members& seen = cluster.nodes[0]->mesh->members();
    CHECK(seen.named("web", cluster.now)->key() == cluster.nodes[4]->settings.key);
    cluster.nodes[0]->mesh->forget(cluster.nodes[4]->settings.key, cluster.now);
    CHECK(cluster.run_until_converged(minutes(1)));
    CHECK(anew.has_ipv4());
    CHECK_FALSE(anew.refused_address());
    CHECK(seen.named("web", cluster.now)->key() == cluster.nodes[5]->settings.key);
}

TEST_CASE("a joining node does not get an address that another has") {
    Cluster cluster(4, 1);
    const auto address = *parse_address("10.41.1.9");
    cluster.nodes[1]->settings.fixed_ipv4 = cluster.nodes[3]->settings.fixed_ipv4 = address;
    // The thief's clock says that it was there first.
    cluster.nodes[3]->skew = -1'000'000'000;
    for (std::size_t index = 0; index < 3; ++index) {
        cluster.start(index);
    }
    CHECK(cluster.run_until_converged(minutes(1)));
    cluster.start(3);
    cluster.run(minutes(3));
    for (std::size_t index = 0; index < 4; ++index) {
        const auto thief = cluster.nodes[index]->mesh->wanted(cluster.nodes[3]->settings.key);
        CHECK((index == 3 || (thief && !thief->ipv4)));
        CHECK((index == 1 || cluster.nodes[index]->mesh->wanted(cluster.nodes[1]->settings.key)->ipv4 == address));
    }
    CHECK(cluster.nodes[3]->mesh->refused_address());
    CHECK(cluster.nodes[1]->mesh->has_ipv4());
}

TEST_CASE("strangers: another secret, noise, and what was heard once get nothing") {
    Cluster cluster(5, 2);
    struct Heard {
        std::size_t to;
        std::vector<std::uint8_t> datagram;
    };
    std::vector<Heard> heard;
    cluster.listener = [&](std::size_t to, const Endpoint& /*from*/, Bytes datagram) {
        heard.push_back({to, {datagram.begin(), datagram.end()}});
    };
    cluster.nodes[4]->secret = 2;
    cluster.start_all();
    cluster.stop(4);
    cluster.run(minutes(1));
    CHECK(cluster.converged());
    cluster.listener = nullptr;

    cluster.start(4);
    cluster.run(minutes(5));
    CHECK(cluster.nodes[4]->mesh->peer_count() == 0);
    CHECK(cluster.nodes[0]->mesh->peer_count() == 3);
    CHECK(cluster.nodes[4]->counts.inside == 0);
    cluster.stop(4);

    const auto sent = cluster.sum().outside;
    const auto from = endpoint("203.0.113.66", 666);
    for (int round = 0; round < 20; ++round) {
        for (const Heard& one : heard) {
            cluster.throw_at(one.to, from, one.datagram);
            auto broken = one.datagram;
            broken[cluster.below(256)] ^= static_cast<std::uint8_t>(1 + cluster.below(255));
            cluster.throw_at(one.to, from, broken);
        }
        cluster.run(milliseconds(500));
    }
    // Members heard all of it before: not one answer.
    CHECK(cluster.sum().outside - sent <= 5);
    // To another node, later, a datagram that it has not heard is answered once; but nobody can go on from there.
    cluster.run(minutes(15));
    for (const Heard& one : heard) {
        cluster.throw_at(3, from, one.datagram);
        cluster.run(milliseconds(500));
    }
    CHECK(cluster.nodes[3]->mesh->peer_count() == 3);
    CHECK(cluster.converged());
    CHECK(cluster.sum().inside > 0);
    for (const auto& tunnel : cluster.nodes[3]->tunnels) {
        CHECK(tunnel.endpoint.address != from.address);
    }
}

namespace {

/// Whether all nodes that are up have this secret, and the same version of it.
bool all_have(const Cluster& cluster, std::uint8_t secret) {
    return std::ranges::all_of(cluster.nodes, [&](const auto& node) {
        return !node->up() || (node->secret == secret && node->settings.secret == cluster.nodes[0]->settings.secret);
    });
}

}  // namespace

TEST_CASE("secrets: changed once, all nodes have it, and those that were away when they come back") {
    Cluster cluster(6, 2);
    for (std::size_t index = 0; index < 5; ++index) {
        cluster.start(index);
    }
    CHECK(cluster.run_until_converged(minutes(1)));
    cluster.stop(4);
    cluster.nodes[2]->mesh->rotate_secret(cluster_secret(2), cluster.now);
    const auto took = cluster.run_until([&] { return all_have(cluster, 2); }, minutes(1));
    CHECK(took);
    MESSAGE("all have the new secret after " << seconds_text(took));
    CHECK(cluster.nodes[4]->secret == 1);
    cluster.start(4);
    CHECK(cluster.run_until([&] { return all_have(cluster, 2); }, minutes(2)));
    // A new node that only knows the old one gets in while that is allowed, and learns the new one.
    cluster.start(5);
    CHECK(cluster.run_until_converged(minutes(2)));
    CHECK(cluster.run_until([&] { return all_have(cluster, 2); }, minutes(1)));
    cluster.nodes[0]->mesh->rotate_secret(cluster_secret(3), cluster.now);
    CHECK(cluster.run_until([&] { return all_have(cluster, 3); }, minutes(1)));
    CHECK(cluster.nodes[5]->settings.secret.generation == 2);
}

TEST_CASE("secrets: the old one lets nobody in when its time is over") {
    Cluster cluster(3, 2);
    cluster.start(0);
    cluster.start(1);
    CHECK(cluster.run_until_converged(minutes(1)));
    cluster.nodes[0]->mesh->rotate_secret(cluster_secret(2), cluster.now);
    CHECK(cluster.run_until([&] { return all_have(cluster, 2); }, minutes(1)));
    cluster.run(kSecretGrace);
    cluster.start(2);
    cluster.run(minutes(5));
    CHECK(cluster.nodes[2]->mesh->peer_count() == 0);
    CHECK(cluster.nodes[0]->mesh->peer_count() == 1);
}

TEST_CASE("secrets: two nodes change it at the same time, and all take one of the two") {
    Cluster cluster(5, 2);
    cluster.start_all();
    CHECK(cluster.run_until_converged(minutes(1)));
    cluster.nodes[1]->mesh->rotate_secret(cluster_secret(7), cluster.now);
    cluster.nodes[3]->mesh->rotate_secret(cluster_secret(8), cluster.now);
    const auto agreed = [&] { return all_have(cluster, 7) || all_have(cluster, 8); };
    CHECK(cluster.run_until(agreed, minutes(1)));
    CHECK(cluster.nodes[0]->settings.secret.generation == 1);
}

TEST_CASE("NAT: two nodes behind NATs find each other through a third") {
    Cluster cluster(1, 1);
    cluster.add({0}, true);
    cluster.add({0}, true);
    cluster.start_all();
    const auto met = cluster.run_until(
        [&] {
            return cluster.full_mesh() && cluster.nodes[1]->mesh->working_peers() == 2 &&
                   cluster.nodes[2]->mesh->working_peers() == 2;
        },
        minutes(3));
    CHECK(met);
    CHECK(cluster.nodes[1]->mesh->behind_nat());
    CHECK_FALSE(cluster.nodes[0]->mesh->behind_nat());
    CHECK(cluster.nodes[1]->mesh->wanted(0).keepalive == seconds(25));
    CHECK(cluster.nodes[0]->mesh->wanted(0).keepalive == seconds(0));
    MESSAGE("met after " << seconds_text(met));
}
