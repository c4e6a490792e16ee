#include "peer_book.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace thole::mesh {

namespace {

int compare_addresses(const Address& left, const Address& right) {
    return std::memcmp(left.bytes.data(), right.bytes.data(), left.bytes.size());
}

}  // namespace

std::vector<PeerBook::Entry>::const_iterator PeerBook::find(const Address& ipv6) const {
    const auto at = std::ranges::lower_bound(
        entries_, ipv6, [](const Address& left, const Address& right) { return compare_addresses(left, right) < 0; },
        &Entry::ipv6);
    return at != entries_.end() && at->ipv6 == ipv6 ? at : entries_.end();
}

void PeerBook::update(const Mesh& mesh) {
    std::vector<Entry> entries;
    entries.reserve(mesh.peer_count());
    for (std::size_t index = 0; index < mesh.peer_count(); ++index) {
        const PeerSetup peer = mesh.wanted(index);
        const auto known = find(peer.ipv6);
        entries.push_back(
            known != entries_.end()
                ? *known
                : Entry{.ipv6 = peer.ipv6, .key = peer.key, .handshake_seconds = std::nullopt, .handshake = {}});
    }
    // Not std::sort: each kind of element that it sorts costs 4 KB of code.
    const auto compare = [](const void* left, const void* right) {
        return compare_addresses(static_cast<const Entry*>(left)->ipv6, static_cast<const Entry*>(right)->ipv6);
    };
    if (!entries.empty()) {
        std::qsort(entries.data(), entries.size(), sizeof(Entry), compare);
    }
    entries_ = std::move(entries);
}

const PublicKey* PeerBook::owner(const Address& ipv6) const {
    const auto found = find(ipv6);
    return found != entries_.end() ? &found->key : nullptr;
}

PathStatus PeerBook::status(const DevicePeer& peer, const Address& ipv6, Instant now, std::uint64_t seconds) {
    PathStatus status{.handshake = std::nullopt,
                      .endpoint = peer.endpoint.value_or(Endpoint()),
                      .sent = peer.sent,
                      .received = peer.received};
    const auto found = find(ipv6);
    if (found == entries_.end() || !peer.handshake_seconds) {
        return status;
    }
    Entry& entry = entries_[static_cast<std::size_t>(found - entries_.cbegin())];
    if (entry.handshake_seconds != peer.handshake_seconds) {
        entry.handshake_seconds = peer.handshake_seconds;
        const std::uint64_t age = seconds - std::min(*peer.handshake_seconds, seconds);
        const auto most = static_cast<std::uint64_t>(now.milliseconds / 1000);
        entry.handshake = now + -std::chrono::seconds(std::min(age, most));
    }
    status.handshake = entry.handshake;
    return status;
}

}  // namespace thole::mesh
