#include "pod_networks.hpp"

#include <algorithm>
#include <set>

namespace thole::mesh {

namespace {

constexpr unsigned kWidestIpv4 = 20;
constexpr unsigned kWidestIpv6 = 56;

struct ByPlace {
    bool operator()(const Network& left, const Network& right) const {
        if (left.address.family != right.address.family) {
            return left.address.family < right.address.family;
        }
        return left.address.bytes < right.address.bytes;
    }
};

/// Networks of which no two overlap.
class Taken {
   public:
    bool add(const Network& network) {
        // What overlaps it begins before it and reaches into it, or begins within it.
        const auto next = taken_.lower_bound(network);
        if ((next != taken_.end() && networks_overlap(*next, network)) ||
            (next != taken_.begin() && networks_overlap(*std::prev(next), network))) {
            return false;
        }
        taken_.insert(network);
        return true;
    }

   private:
    std::set<Network, ByPlace> taken_;
};

bool lies_within(const Network& inner, const Network& outer) {
    return inner.prefix >= outer.prefix && network_contains(outer, inner.address);
}

bool is_allowed(const Network& network, const PodRules& rules) {
    const unsigned widest = network.address.family == AF_INET ? kWidestIpv4 : kWidestIpv6;
    const auto overlaps = [&](const Network& other) { return networks_overlap(other, network); };
    return network.prefix >= widest &&
           std::ranges::any_of(rules.ranges, [&](const Network& range) { return lies_within(network, range); }) &&
           !overlaps(rules.mesh.ipv4) && !overlaps(rules.mesh.ipv6) && std::ranges::none_of(rules.own, overlaps);
}

/// Of those that are reached or not, nodes without a settled address come last.
bool claims_before(const PodNetwork& left, const PodNetwork& right) {
    if (left.reached != right.reached) {
        return left.reached;
    }
    const std::uint64_t since_left = left.settled - 1;  // 0 becomes the greatest
    const std::uint64_t since_right = right.settled - 1;
    if (since_left != since_right) {
        return since_left < since_right;
    }
    return left.key != right.key ? left.key < right.key : ByPlace()(left.network, right.network);
}

bool has_smaller_key(const PodNetwork& left, const PodNetwork& right) { return left.key < right.key; }

}  // namespace

PodDecision decide_pods(std::vector<PodNetwork> announced, const PodRules& rules) {
    std::ranges::sort(announced, claims_before);
    PodDecision decision;
    Taken taken;
    for (const PodNetwork& one : announced) {
        const bool good = is_allowed(one.network, rules) && taken.add(one.network);
        (good ? decision.routed : decision.refused).push_back(one);
    }
    std::ranges::sort(decision.routed, has_smaller_key);
    return decision;
}

std::span<const PodNetwork> pods_of(std::span<const PodNetwork> routed, const PublicKey& key) {
    const auto found = std::ranges::equal_range(routed, PodNetwork{.key = key, .network = {}}, has_smaller_key);
    return {found.begin(), found.end()};
}

}  // namespace thole::mesh
