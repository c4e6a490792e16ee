#include "reconcile.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "base/text.hpp"

namespace thole::mesh {

namespace {

// Not std::sort, nor maps: each kind of element that they sort costs 2 to 4 KB of code.

int compare_networks(const Network& left, const Network& right) {
    if (left.address.family != right.address.family) {
        return left.address.family < right.address.family ? -1 : 1;
    }
    const int bytes = std::memcmp(left.address.bytes.data(), right.address.bytes.data(), left.address.bytes.size());
    return bytes != 0 ? bytes : static_cast<int>(left.prefix) - static_cast<int>(right.prefix);
}

bool is_same(const Network& left, const Network& right) { return compare_networks(left, right) == 0; }

/// qsort(3) for a list.
template <typename Item>
void sort_by(std::vector<Item>& list, int (*compare)(const void* left, const void* right)) {
    if (!list.empty()) {
        std::qsort(list.data(), list.size(), sizeof(Item), compare);
    }
}

/// In order, and each once.
void put_in_order(std::vector<Network>& list) {
    sort_by(list, [](const void* left, const void* right) {
        return compare_networks(*static_cast<const Network*>(left), *static_cast<const Network*>(right));
    });
    const auto rest = std::ranges::unique(list, is_same);
    list.erase(rest.begin(), rest.end());
}

/// In order, each once, and without host bits, as the kernel has them.
std::vector<Network> as_routes(std::span<const Network> networks) {
    std::vector<Network> list;
    for (const Network& network : networks) {
        list.push_back(network_base(network));
    }
    put_in_order(list);
    return list;
}

/// What is in `left` and not in `right`. Both are short: a peer's networks, a link's addresses.
std::vector<Network> missing_in(std::span<const Network> left, std::span<const Network> right) {
    std::vector<Network> missing;
    for (const Network& network : left) {
        if (std::ranges::none_of(right, [&](const Network& other) { return is_same(network, other); })) {
            missing.push_back(network);
        }
    }
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
    const PublicKey* key = nullptr;
    std::size_t number = 0;  // in the order that was given, those that are wanted first
    const WantedPeer* wanted = nullptr;
    const DevicePeer* actual = nullptr;

    [[nodiscard]] bool needs_endpoint() const {
        return wanted->endpoint &&
               (actual == nullptr || !actual->endpoint || (wanted->move && *actual->endpoint != *wanted->endpoint));
    }
    [[nodiscard]] bool needs_keepalive() const {
        return actual == nullptr ? wanted->keepalive.count() != 0 : wanted->keepalive != actual->keepalive;
    }
};

int compare_pairs(const void* left, const void* right) {
    const auto& one = *static_cast<const Pair*>(left);
    const auto& other = *static_cast<const Pair*>(right);
    const int keys = std::memcmp(one.key, other.key, sizeof(PublicKey));
    return keys != 0 ? keys : one.number < other.number ? -1 : 1;
}

/// A network that a peer is wanted to have.
struct Share {
    Network network;
    const WantedPeer* owner;
};

int compare_shares(const void* left, const void* right) {
    const auto& one = *static_cast<const Share*>(left);
    const auto& other = *static_cast<const Share*>(right);
    const int networks = compare_networks(one.network, other.network);
    return networks != 0 ? networks : one.owner < other.owner ? -1 : 1;
}

/// Both sides, peer by peer.
class Comparison {
   public:
    Comparison(std::span<const WantedPeer> wanted, const Device& actual);

    [[nodiscard]] std::span<const Pair> pairs() const { return pairs_; }
    [[nodiscard]] std::vector<Network> wanted_of(const Pair& pair) const;
    [[nodiscard]] static std::vector<Network> actual_of(const Pair& pair);

   private:
    void find_lost();

    std::vector<Pair> pairs_;  // by key
    std::vector<Share> lost_;  // to peers that were named earlier; there is hardly ever one
};

Comparison::Comparison(std::span<const WantedPeer> wanted, const Device& actual) {
    for (const WantedPeer& peer : wanted) {
        pairs_.push_back({&peer.key, pairs_.size(), &peer, nullptr});
    }
    for (const DevicePeer& peer : actual.peers) {
        pairs_.push_back({&peer.key, pairs_.size(), nullptr, &peer});
    }
    sort_by(pairs_, compare_pairs);
    // Neighbours with one key become one.
    std::size_t count = 0;
    for (const Pair& half : pairs_) {
        Pair* const before = count == 0 ? nullptr : &pairs_[count - 1];
        if (before == nullptr || *before->key != *half.key) {
            pairs_[count++] = half;
        } else if (half.actual != nullptr) {
            before->actual = half.actual;
        }
    }
    pairs_.resize(count);
    find_lost();
}

void Comparison::find_lost() {
    std::vector<Share> shares;
    for (const Pair& pair : pairs_) {
        for (const Network& network : wanted_of(pair)) {
            shares.push_back({network, pair.wanted});
        }
    }
    sort_by(shares, compare_shares);
    for (std::size_t index = 1; index < shares.size(); ++index) {
        if (is_same(shares[index - 1].network, shares[index].network)) {
            lost_.push_back(shares[index]);
        }
    }
}

std::vector<Network> Comparison::wanted_of(const Pair& pair) const {
    if (pair.wanted == nullptr) {
        return {};
    }
    std::vector<Network> networks = as_routes(pair.wanted->allowed);
    for (const Share& share : lost_) {
        if (share.owner == pair.wanted) {
            std::erase_if(networks, [&](const Network& one) { return is_same(one, share.network); });
        }
    }
    return networks;
}

std::vector<Network> Comparison::actual_of(const Pair& pair) {
    return pair.actual != nullptr ? as_routes(pair.actual->allowed) : std::vector<Network>();
}

bool differ(std::span<const Network> left, std::span<const Network> right) {
    return !std::ranges::equal(left, right, is_same);
}

NetworkChanges compare(std::vector<Network> wanted, std::vector<Network> actual) {
    put_in_order(wanted);
    put_in_order(actual);
    return {missing_in(actual, wanted), missing_in(wanted, actual)};
}

}  // namespace

std::vector<PeerChange> peer_changes(std::span<const WantedPeer> wanted, const Device& actual) {
    std::vector<PeerChange> removals;
    std::vector<PeerChange> losses;
    std::vector<PeerChange> others;
    const Comparison comparison(wanted, actual);
    for (const Pair& pair : comparison.pairs()) {
        PeerChange change;
        change.key = *pair.key;
        change.remove = pair.wanted == nullptr;
        if (change.remove) {
            removals.push_back(std::move(change));
            continue;
        }
        if (pair.needs_endpoint()) {
            change.endpoint = pair.wanted->endpoint;
        }
        if (pair.needs_keepalive()) {
            change.keepalive = pair.wanted->keepalive;
        }
        auto networks = comparison.wanted_of(pair);
        const auto before = Comparison::actual_of(pair);
        const bool loses = !missing_in(before, networks).empty();
        if (differ(networks, before)) {
            change.allowed = std::move(networks);
        }
        if (pair.actual == nullptr || change.endpoint || change.keepalive || change.allowed) {
            (loses ? losses : others).push_back(std::move(change));
        }
    }
    for (auto* const list : {&losses, &others}) {
        for (PeerChange& change : *list) {
            removals.push_back(std::move(change));
        }
    }
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
    const Comparison comparison(wanted, actual);
    for (const Pair& pair : comparison.pairs()) {
        const std::string peer = concat("peer ", fingerprint(*pair.key));
        const auto networks = comparison.wanted_of(pair);
        const auto before = Comparison::actual_of(pair);
        if (pair.wanted == nullptr || pair.actual == nullptr) {
            found.push_back({peer, pair.wanted == nullptr ? "" : networks_text(networks),
                             pair.actual == nullptr ? "" : networks_text(before)});
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
        if (differ(networks, before)) {
            found.push_back({peer + ": allowed", networks_text(networks), networks_text(before)});
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
