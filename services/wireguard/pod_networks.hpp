// Which node's pods are routed to it: nodes announce the networks of their pods, and every node decides by the same
// rules whose word counts. No system calls.
#pragma once

#include <span>
#include <vector>

#include "addresses.hpp"
#include "record.hpp"

namespace thole::mesh {

struct PodNetwork {
    PublicKey key;  // of the node whose pods they are
    Network network;
    std::uint64_t settled = 0;  // since when the node has its address (see Claim); 0: not yet
    bool reached = false;       // the node answers this one
};

struct PodRules {
    std::vector<Network> ranges;  // kubernetes.pod-range: only what lies within
    Ranges mesh;                  // and not within these
    std::vector<Network> own;     // nor in what this node's pods have
};

struct PodDecision {
    std::vector<PodNetwork> routed;   // by the nodes' keys
    std::vector<PodNetwork> refused;  // and those that are not
};

/// A network wider than /20 (IPv4) or /56 (IPv6) is no node's. Of two that overlap the one counts whose node answers (a
/// node that was made anew has the range of its old self, which is gone), then that of the node that settled earlier,
/// then that of the smaller key: all nodes that know the same decide the same.
PodDecision decide_pods(std::vector<PodNetwork> announced, const PodRules& rules);

/// Those of one node, in what decide_pods() routed.
std::span<const PodNetwork> pods_of(std::span<const PodNetwork> routed, const PublicKey& key);

}  // namespace thole::mesh
