// Meshes of simulated nodes in bad weather. The seed is printed; THOLE_SEED repeats a run, and THOLE_MESH_NODES=5000
// adds one of that size to the figures.
#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

#include "mesh_cluster.hpp"

using namespace thole;
using namespace thole::mesh;

namespace {

/// What it costs a node to come up with all others, and to be there.
void print_figures(std::size_t size) {
    Cluster cluster(size, 3);
    cluster.start_all();
    const auto up = cluster.run_until_converged(minutes(5));
    REQUIRE(up);
    const auto start = cluster.sum();
    const auto meshed = cluster.run_until([&] { return cluster.full_mesh(); }, minutes(2));
    CHECK(meshed);
    cluster.run(seconds(20));
    const auto before = cluster.sum();
    cluster.run(seconds(60));
    const auto quiet = cluster.sum();
    const auto change = cluster.spread();
    CHECK(change);
    const auto after = cluster.sum();
    const auto a_node = [&](std::uint64_t number) { return static_cast<double>(number) / static_cast<double>(size); };
    MESSAGE(size << " nodes at once: same knowledge after " << seconds_text(up) << ", by " << a_node(start.inside)
                 << " messages, " << a_node(start.inside_bytes) / 1024 << " KiB and " << a_node(start.outside)
                 << " hellos a node; in a quiet minute " << a_node(quiet.inside - before.inside) << " messages, "
                 << a_node(quiet.inside_bytes - before.inside_bytes) / 1024 << " KiB; a change is everywhere after "
                 << seconds_text(change) << ", by " << a_node(after.inside - quiet.inside) << " messages");
}

}  // namespace

TEST_CASE("figures: 10, 100, 500 nodes") {
    print_figures(10);
    print_figures(100);
    print_figures(500);
    if (const char* const more = std::getenv("THOLE_MESH_NODES")) {
        print_figures(static_cast<std::size_t>(std::atoi(more)));
    }
}

TEST_CASE("weather: loss, duplicates, delays, and clocks that are years apart") {
    Cluster cluster(60, 2);
    cluster.loss = 20;
    cluster.twice = 10;
    cluster.delay = milliseconds(1'500);
    for (const auto& node : cluster.nodes) {
        node->skew = static_cast<std::int64_t>(cluster.below(600'000'000)) - 300'000'000;
    }
    cluster.start_all();
    const auto up = cluster.run_until_converged(minutes(10));
    CHECK(up);
    CHECK(cluster.different_addresses() == 60);
    MESSAGE("60 nodes with 20 % loss, 10 % twice, up to 1.5 s delay: " << seconds_text(up));
}

TEST_CASE("addresses: a range that is nearly full") {
    Cluster cluster(60, 2, *parse_network("10.41.7.0/25"));
    cluster.start_all();
    CHECK(cluster.run_until_converged(minutes(10)));
    CHECK(cluster.different_addresses() == 60);
    // A restart keeps what was settled.
    const std::string before = cluster.address(7);
    cluster.stop(7);
    cluster.run(seconds(30));
    cluster.start(7);
    CHECK(cluster.run_until_converged(minutes(2)));
    CHECK(cluster.address(7) == before);
}

TEST_CASE("addresses: two halves that settled the same ones, each for itself") {
    Cluster cluster(40, 0, *parse_network("10.41.7.0/26"));
    for (std::size_t index = 0; index < 40; ++index) {
        cluster.nodes[index]->part = index < 20 ? 0 : 1;
        cluster.nodes[index]->settings.seeds = {
            {network_address(*parse_network("100.64.0.0/16"), index < 20 ? 30 + 10 : 10), 51872},
            {network_address(*parse_network("100.64.0.0/16"), index < 20 ? 10 : 30 + 10), 51872}};
    }
    cluster.start_all();
    cluster.run(minutes(2));
    CHECK(cluster.nodes[3]->mesh->members().all().size() == 20);
    CHECK(cluster.nodes[33]->mesh->members().all().size() == 20);
    const std::size_t different = cluster.different_addresses();
    for (const auto& node : cluster.nodes) {
        node->part = 0;
    }
    const auto healed = cluster.run_until_converged(minutes(3));
    CHECK(healed);
    CHECK(cluster.different_addresses() == 40);
    MESSAGE("two halves of 20 that never met, with " << 40 - different << " addresses in common, became one in "
                                                     << seconds_text(healed));
}

TEST_CASE("partition: 2 of 5 apart for three minutes") {
    Cluster cluster(5, 2);
    cluster.start_all();
    CHECK(cluster.run_until_converged(minutes(1)));
    CHECK(cluster.run_until([&] { return cluster.full_mesh(); }, minutes(1)));
    for (std::size_t index = 0; index < 2; ++index) {
        cluster.nodes[index]->part = 1;
    }
    cluster.run(minutes(1));
    // Something changes on both sides meanwhile.
    cluster.nodes[0]->mesh->set_endpoints({{EndpointKind::fixed, endpoint("198.51.100.1")}}, cluster.now);
    cluster.nodes[4]->mesh->set_endpoints({{EndpointKind::fixed, endpoint("198.51.100.4")}}, cluster.now);
    cluster.run(minutes(2));
    CHECK_FALSE(cluster.converged());
    CHECK(cluster.nodes[0]->mesh->working_peers() == 1);
    CHECK(cluster.nodes[4]->mesh->working_peers() == 2);
    for (const auto& node : cluster.nodes) {
        node->part = 0;
    }
    const auto healed = cluster.run_until(
        [&] {
            return cluster.converged() && std::ranges::all_of(cluster.nodes, [](const auto& node) {
                       return node->mesh->working_peers() == 4;
                   });
        },
        minutes(2));
    REQUIRE(healed);
    CHECK(*healed <= seconds(30));
    MESSAGE("healed after " << seconds_text(healed));
}

TEST_CASE("partition: a quarter of 40 apart for twenty minutes") {
    Cluster cluster(40, 2);
    cluster.start_all();
    CHECK(cluster.run_until_converged(minutes(2)));
    for (std::size_t index = 0; index < 10; ++index) {
        cluster.nodes[index]->part = 1;
    }
    cluster.run(minutes(20));
    for (const auto& node : cluster.nodes) {
        node->part = 0;
    }
    const auto healed = cluster.run_until_converged(minutes(10));
    CHECK(healed);
    MESSAGE("healed after " << seconds_text(healed));
}

TEST_CASE("seeds: one that appears only later is enough") {
    Cluster cluster(5, 1);
    for (std::size_t index = 1; index < 5; ++index) {
        cluster.start(index);
    }
    cluster.run(minutes(10));
    CHECK(cluster.nodes[1]->mesh->members().all().size() == 1);
    CHECK(cluster.nodes[1]->mesh->has_ipv4());
    cluster.start(0);
    const auto joined = cluster.run_until_converged(minutes(2));
    CHECK(joined);
    MESSAGE("joined after " << seconds_text(joined));
}

TEST_CASE("join: a fresh node is reached by all at a settled address, as a rule within three seconds") {
    std::vector<milliseconds> times;
    for (std::size_t round = 0; round < 20; ++round) {
        Cluster cluster(6, 2);
        for (std::size_t skipped = 0; skipped < round; ++skipped) {
            cluster.below(2);  // another course of things in each round
        }
        for (std::size_t index = 0; index < 5; ++index) {
            cluster.start(index);
        }
        REQUIRE(cluster.run_until_converged(minutes(1)));
        cluster.run(milliseconds(cluster.below(10'000)));
        cluster.start(5);
        const auto joined = cluster.run_until([&] { return cluster.converged() && cluster.full_mesh(); }, seconds(30));
        REQUIRE(joined);
        times.push_back(*joined);
    }
    std::ranges::sort(times);
    CHECK(times[times.size() / 2] <= seconds(3));
    // Whom the news missed finds it by the comparison two to four seconds later.
    CHECK(times.back() <= seconds(8));
    MESSAGE("the median of 20: " << seconds_text(times[times.size() / 2]) << ", the slowest "
                                 << seconds_text(times.back()));
}

TEST_CASE("restarts: of any node at any time, with or without its memory") {
    Cluster cluster(20, 2);
    cluster.loss = 5;
    cluster.start_all();
    for (int round = 0; round < 40; ++round) {
        const std::size_t index = cluster.below(20);
        cluster.stop(index);
        cluster.run(milliseconds(cluster.below(20'000)));
        if (cluster.below(4) == 0) {
            cluster.nodes[index]->settings.state = {};
        }
        cluster.start(index);
        cluster.run(milliseconds(cluster.below(5'000)));
    }
    // One that forgot its epoch is taken for a replay until its old greetings are forgotten, after ten minutes.
    CHECK(cluster.run_until_converged(minutes(15)));
    CHECK(cluster.different_addresses() == 20);
}

TEST_CASE("a node whose memory is lost speaks above its old words") {
    Cluster cluster(5, 2);
    cluster.nodes[4]->settings.state.epoch = 500;
    cluster.start_all();
    CHECK(cluster.run_until_converged(minutes(1)));
    cluster.stop(4);
    cluster.nodes[4]->settings.state = {};
    cluster.nodes[4]->settings.name = "renamed";
    cluster.run(minutes(11));
    cluster.start(4);
    CHECK(cluster.run_until_converged(minutes(2)));
    CHECK(cluster.nodes[0]->mesh->members().find(cluster.nodes[4]->settings.key)->record().name() == "renamed");
    CHECK(cluster.nodes[4]->settings.state.epoch == 502);
}
