// A cluster of simulated nodes, and questions about it that tests ask.
#pragma once

#include <doctest/doctest.h>

#include <cstdlib>
#include <random>
#include <set>

#include "base/text.hpp"
#include "mesh_simulation.hpp"

namespace thole::mesh {

using std::chrono::minutes;

/// THOLE_SEED, or a random one; printed once.
inline std::uint64_t first_seed() {
    static const std::uint64_t kSeed = [] {
        const char* const given = std::getenv("THOLE_SEED");
        const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device()();
        MESSAGE("THOLE_SEED=" << seed);
        return seed;
    }();
    return kSeed;
}

/// A cluster that is started within some seconds; its first nodes are everybody's seeds.
struct Cluster : Simulation {
    Cluster(std::size_t size, std::size_t seed_count, Network range = *parse_network("10.41.0.0/16"))
        : Simulation(first_seed(), range) {
        std::vector<std::size_t> seeds;
        for (std::size_t seed = 0; seed < seed_count; ++seed) {
            seeds.push_back(seed);
        }
        for (std::size_t index = 0; index < size; ++index) {
            add(seeds);
        }
    }

    void start_all(milliseconds within = seconds(2)) {
        for (std::size_t index = 0; index < nodes.size(); ++index) {
            start(index);
            run(within / static_cast<int>(nodes.size()));
        }
    }

    /// Whether both have a way to each other.
    [[nodiscard]] bool reaches(std::size_t one, std::size_t other) const {
        return nodes[one]->tunnel(*nodes[other]).session && nodes[other]->tunnel(*nodes[one]).session;
    }

    [[nodiscard]] bool full_mesh() const {
        for (std::size_t one = 0; one < nodes.size(); ++one) {
            for (std::size_t other = 0; other < one; ++other) {
                if (nodes[one]->up() && nodes[other]->up() && !reaches(one, other)) {
                    return false;
                }
            }
        }
        return true;
    }

    [[nodiscard]] SimulatedCounts sum() const {
        SimulatedCounts all;
        for (const auto& node : nodes) {
            all.inside += node->counts.inside;
            all.inside_bytes += node->counts.inside_bytes;
            all.outside += node->counts.outside;
            all.handshakes += node->counts.handshakes;
        }
        return all;
    }

    [[nodiscard]] std::string address(std::size_t index) const {
        return address_text(nodes[index]->mesh->self().record().ipv4());
    }

    [[nodiscard]] std::size_t different_addresses() const {
        std::set<std::string> all;
        for (std::size_t index = 0; index < nodes.size(); ++index) {
            all.insert(address(index));
        }
        return all.size();
    }

    /// How long until all know node 0's newest word.
    std::optional<milliseconds> spread() {
        nodes[0]->mesh->set_endpoints(
            {{EndpointKind::local, nodes[0]->public_wireguard},
             {EndpointKind::fixed, endpoint("198.51.100.7", static_cast<std::uint16_t>(below(60'000) + 1))}},
            now);
        return run_until_converged(minutes(2));
    }
};

inline std::string seconds_text(const std::optional<milliseconds>& time) {
    return time ? duration_text(*time) : "too long";
}

}  // namespace thole::mesh
