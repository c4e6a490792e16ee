// The kernel's side of the daemon: what it says of peers, and what it is told.
#include <algorithm>

#include "host.hpp"
#include "say.hpp"

namespace thole::mesh {

namespace {

/// How often the kernel is asked about its peers: soon after an endpoint is tried, and more and more seldom.
constexpr milliseconds kFirstPoll{100};
constexpr milliseconds kLastPoll{5'000};

std::vector<Network> allowed_of(const PeerSetup& peer, std::span<const PodNetwork> pods) {
    constexpr unsigned kWholeIpv6 = 128;
    constexpr unsigned kWholeIpv4 = 32;
    std::vector<Network> allowed{{peer.ipv6, kWholeIpv6}};
    if (peer.ipv4) {
        allowed.push_back({*peer.ipv4, kWholeIpv4});
    }
    for (const PodNetwork& one : pods) {
        allowed.push_back(one.network);
    }
    return allowed;
}

}  // namespace

void MeshHost::poll_link(Instant time) {
    poll_pause_ = std::clamp(poll_pause_ * 2, kFirstPoll, kLastPoll);
    next_poll_ = time + poll_pause_;
    const auto device = link_.read();
    if (!device) {
        say(device.error().message);
        ++link_errors_;
        ending_ = true;  // the link is gone: a new process makes it again
        return;
    }
    // Whose word counts depends on who answers.
    names_changed_ = names_changed_ || !refused_pods_.empty();
    const std::uint64_t seconds = seconds_since_1970();
    for (const DevicePeer& peer : device->peers) {
        if (const Address* const address = mesh_->address_of(peer.key)) {
            mesh_->on_status(peer.key, book_.status(peer, *address, time, seconds), time);
        }
    }
}

std::vector<WantedPeer> MeshHost::wanted_peers() const {
    std::vector<WantedPeer> wanted;
    wanted.reserve(mesh_->peer_count());
    for (std::size_t index = 0; index < mesh_->peer_count(); ++index) {
        const PeerSetup peer = mesh_->wanted(index);
        wanted.push_back({.key = peer.key,
                          .endpoint = peer.endpoint,
                          .move = std::ranges::find(tries_, peer.key) != tries_.end(),
                          .keepalive = peer.keepalive,
                          .allowed = allowed_of(peer, pods_of(pods_, peer.key))});
    }
    return wanted;
}

void MeshHost::settle_link() {
    if (!peers_changed_ && tries_.empty()) {
        return;
    }
    book_.update(*mesh_);
    const auto device = link_.read();
    const auto changed = device ? link_.set_peers(wanted_peers(), *device) : std::unexpected(device.error());
    if (!changed) {
        say(changed.error().message);
        ++link_errors_;
    }
    if (auto routed = link_.set_routes(pod_routes()); !routed) {
        say(routed.error().message);
        ++link_errors_;
    }
    peers_changed_ = false;
    // WireGuard begins a handshake when there is something to send; a peer leaves an empty message alone.
    for (const PublicKey& key : tries_) {
        send_inside(key, {});
    }
    if (!tries_.empty()) {
        poll_pause_ = {};
        next_poll_ = now() + kFirstPoll;
    }
    tries_.clear();
}

std::optional<Address> MeshHost::ipv4() const {
    return mesh_->has_ipv4() && !range_clashes_ ? std::optional(mesh_->self().record().ipv4()) : std::nullopt;
}

void MeshHost::settle_addresses() {
    if (!addresses_changed_) {
        return;
    }
    addresses_changed_ = false;
    if (auto given = link_.set_addresses(settings_.ranges, own_ipv6_, ipv4()); !given) {
        say(given.error().message);
        ++link_errors_;
    }
}

}  // namespace thole::mesh
