#include "reconcile.hpp"

#include <algorithm>
#include <map>
#include <tuple>

#include "base/text.hpp"

namespace thole::mesh {

namespace {

/// A network as something that can be sorted: family, bytes, prefix.
using NetworkKey = std::tuple<int, std::array<unsigned char, 16>, unsigned>;

NetworkKey key_of(const Network& network) { return {network.address.family, network.address.bytes, network.prefix}; }

bool is_before(const Network& left, const Network& right) { return key_of(left) < key_of(right); }
bool is_same(const Network& left, const Network& right) { return key_of(left) == key_of(right); }

/// Sorted, each once, and without host bits, as the kernel has them.
std::vector<Network> as_routes(std::span<const Network> networks) {
    std::vector<Network> list;
    for (const Network& network : networks) {
        list.push_back(network_base(network));
    }
    std::ranges::sort(list, is_before);
    const auto rest = std::ranges::unique(list, is_same);
    list.erase(rest.begin(), rest.end());
    return list;
}

/// What is in `left` and not in `right`; both sorted.
std::vector<Network> missing_in(std::span<const Network> left, std::span<const Network> right) {
    std::vector<Network> missing;
    std::ranges::set_difference(left, right, std::back_inserter(missing), is_before);
    return missing;
}

std::string networks_text(std::span<const Network> networks) {
    std::string text;
    for (const Network& network : networks) {
        append(text, text.empty() ? "" : " ", network_text(network));
    }
    return text.empty() ? "no networks" : text;
}

std::string endpoint_text(const std::optional<Endpoint>& endpoint) {
    if (!endpoint) {
        return {};
    }
    const std::string address = address_text(endpoint->address);
    return endpoint->address.family == AF_INET ? concat(address, ":", endpoint->port)
                                               : concat("[", address, "]:", endpoint->port);
}

/// One peer on both sides.
struct Pair {
    const WantedPeer* wanted = nullptr;
    const DevicePeer* actual = nullptr;
    std::vector<Network> wanted_networks;
    std::vector<Network> actual_networks;

    [[nodiscard]] bool loses() const { return !missing_in(actual_networks, wanted_networks).empty(); }
    [[nodiscard]] bool differs() const { return loses() || !missing_in(wanted_networks, actual_networks).empty(); }
    [[nodiscard]] bool needs_endpoint() const {
        return wanted->endpoint &&
               (actual == nullptr || !actual->endpoint || (wanted->move && *actual->endpoint != *wanted->endpoint));
    }
    [[nodiscard]] bool needs_keepalive() const {
        return actual == nullptr ? wanted->keepalive.count() != 0 : wanted->keepalive != actual->keepalive;
    }
};

/// All peers that are wanted or there, by key.
std::map<PublicKey, Pair> pair_up(std::span<const WantedPeer> wanted, const Device& actual) {
    std::map<PublicKey, Pair> pairs;
    for (const DevicePeer& peer : actual.peers) {
        Pair& pair = pairs[peer.key];
        pair.actual = &peer;
        pair.actual_networks = as_routes(peer.allowed);
    }
    std::map<NetworkKey, const WantedPeer*> owners;
    for (const WantedPeer& peer : wanted) {
        Pair& pair = pairs[peer.key];
        if (pair.wanted != nullptr) {
            continue;
        }
        pair.wanted = &peer;
        for (const Network& network : as_routes(peer.allowed)) {
            if (owners.try_emplace(key_of(network), &peer).second) {
                pair.wanted_networks.push_back(network);
            }
        }
    }
    return pairs;
}

std::optional<PeerChange> change_of(const PublicKey& key, const Pair& pair) {
    PeerChange change;
    change.key = key;
    if (pair.wanted == nullptr) {
        change.remove = true;
        return change;
    }
    if (pair.needs_endpoint()) {
        change.endpoint = pair.wanted->endpoint;
    }
    if (pair.needs_keepalive()) {
        change.keepalive = pair.wanted->keepalive;
    }
    if (pair.differs()) {
        change.allowed = pair.wanted_networks;
    }
    const bool changes = pair.actual == nullptr || change.endpoint || change.keepalive || change.allowed;
    return changes ? std::optional(std::move(change)) : std::nullopt;
}

NetworkChanges compare(std::vector<Network> wanted, std::vector<Network> actual) {
    std::ranges::sort(wanted, is_before);
    std::ranges::sort(actual, is_before);
    const auto twice = std::ranges::unique(wanted, is_same);
    wanted.erase(twice.begin(), twice.end());
    return {missing_in(actual, wanted), missing_in(wanted, actual)};
}

}  // namespace

std::vector<PeerChange> peer_changes(std::span<const WantedPeer> wanted, const Device& actual) {
    std::vector<PeerChange> removals;
    std::vector<PeerChange> losses;
    std::vector<PeerChange> others;
    for (const auto& [key, pair] : pair_up(wanted, actual)) {
        if (auto change = change_of(key, pair)) {
            auto& list = change->remove ? removals : pair.loses() ? losses : others;
            list.push_back(std::move(*change));
        }
    }
    std::ranges::move(losses, std::back_inserter(removals));
    std::ranges::move(others, std::back_inserter(removals));
    return removals;
}

NetworkChanges address_changes(std::span<const Network> wanted, std::span<const Network> actual) {
    return compare({wanted.begin(), wanted.end()}, {actual.begin(), actual.end()});
}

NetworkChanges route_changes(std::span<const Network> wanted, std::span<const Network> actual) {
    return compare(as_routes(wanted), as_routes(actual));
}

std::vector<Difference> peer_differences(std::span<const WantedPeer> wanted, const Device& actual) {
    std::vector<Difference> found;
    for (const auto& [key, pair] : pair_up(wanted, actual)) {
        const std::string peer = concat("peer ", fingerprint(key));
        if (pair.wanted == nullptr || pair.actual == nullptr) {
            found.push_back({peer, pair.wanted == nullptr ? "" : networks_text(pair.wanted_networks),
                             pair.actual == nullptr ? "" : networks_text(pair.actual_networks)});
            continue;
        }
        if (pair.needs_endpoint()) {
            found.push_back(
                {peer + ": endpoint", endpoint_text(pair.wanted->endpoint), endpoint_text(pair.actual->endpoint)});
        }
        if (pair.needs_keepalive()) {
            found.push_back({peer + ": keepalive", concat(pair.wanted->keepalive.count(), " s"),
                             concat(pair.actual->keepalive.count(), " s")});
        }
        if (pair.differs()) {
            found.push_back(
                {peer + ": allowed", networks_text(pair.wanted_networks), networks_text(pair.actual_networks)});
        }
    }
    return found;
}

std::vector<Difference> network_differences(std::string_view what, const NetworkChanges& changes) {
    std::vector<Difference> found;
    for (const Network& network : changes.remove) {
        found.push_back({std::string(what), {}, network_text(network)});
    }
    for (const Network& network : changes.add) {
        found.push_back({std::string(what), network_text(network), {}});
    }
    return found;
}

}  // namespace thole::mesh
