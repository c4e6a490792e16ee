// The peers: all members but this node, and candidates; how they are reached, and who is asked where they are.
#include "mesh.hpp"

namespace thole::mesh {

namespace {

constexpr std::chrono::seconds kKeepalive{25};
constexpr milliseconds kHelpPause{2'000};
constexpr milliseconds kGreetingPause{2'000};
constexpr milliseconds kHurry{5'000};
constexpr std::size_t kMostAsked = 32;
constexpr unsigned kGuesses = 8;
/// Endpoints that are tried at one time. Each costs both ends a handshake; many nodes may be gone.
constexpr std::size_t kMostTries = 16;

}  // namespace

std::size_t Mesh::position(const PublicKey& key) const {
    std::size_t first = 0;
    std::size_t end = peers_.size();
    while (first < end) {
        const std::size_t middle = first + (end - first) / 2;
        if (peers_[middle]->key < key) {
            first = middle + 1;
        } else {
            end = middle;
        }
    }
    return first;
}

Mesh::Peer* Mesh::find_peer(const PublicKey& key) const {
    const std::size_t at = position(key);
    return at < peers_.size() && peers_[at]->key == key ? peers_[at].get() : nullptr;
}

Mesh::Peer& Mesh::add_peer(const PublicKey& key) {
    const std::size_t at = position(key);
    if (at == peers_.size() || peers_[at]->key != key) {
        auto peer = std::make_unique<Peer>();
        peer->key = key;
        peer->ipv6 = mesh_ipv6(settings_.ranges.ipv6, key);
        peer->paths = Paths(key < settings_.key);
        peer->paths.hurry(now_, milliseconds(0));
        peers_.insert(peers_.begin() + static_cast<std::ptrdiff_t>(at), std::move(peer));
        // Nodes that know the same peers must not all turn to the same ones first.
        cursor_ = random() % peers_.size();
    }
    return *peers_[at];
}

void Mesh::remove_peer(const PublicKey& key) {
    const std::size_t at = position(key);
    if (at == peers_.size() || peers_[at]->key != key) {
        return;
    }
    candidates_ -= peers_[at]->candidate_until != kNever ? 1 : 0;
    working_peers_ -= peers_[at]->paths.working() ? 1 : 0;
    peers_.erase(peers_.begin() + static_cast<std::ptrdiff_t>(at));
    world_.on_peer_changed(key);
}

/// Peers whose members are no more.
void Mesh::drop_expired() {
    for (std::size_t index = peers_.size(); index-- > 0;) {
        const PublicKey key = peers_[index]->key;
        if (peers_[index]->candidate_until == kNever && members_.find(key) == nullptr) {
            remove_peer(key);
        }
    }
}

const Address* Mesh::address_of(const PublicKey& key) const {
    const Peer* const peer = find_peer(key);
    return peer != nullptr ? &peer->ipv6 : nullptr;
}

bool Mesh::reaches(const PublicKey& key) const {
    const Peer* const peer = find_peer(key);
    return peer != nullptr && peer->paths.working();
}

/// Some peer whose path works: a few guesses, and then the next one from anywhere.
const PublicKey* Mesh::any_peer() {
    if (working_peers_ == 0) {
        return nullptr;
    }
    for (unsigned guess = 0; guess < kGuesses; ++guess) {
        const Peer& peer = *peers_[random() % peers_.size()];
        if (peer.paths.working()) {
            return &peer.key;
        }
    }
    const std::size_t start = random() % peers_.size();
    for (std::size_t step = 0; step < peers_.size(); ++step) {
        const Peer& peer = *peers_[(start + step) % peers_.size()];
        if (peer.paths.working()) {
            return &peer.key;
        }
    }
    return nullptr;
}

const PublicKey* Mesh::next_peer() {
    for (std::size_t step = 0; step < peers_.size(); ++step) {
        cursor_ = cursor_ + 1 < peers_.size() ? cursor_ + 1 : 0;
        if (peers_[cursor_]->paths.working()) {
            return &peers_[cursor_]->key;
        }
    }
    return nullptr;
}

void Mesh::on_status(const PublicKey& key, const PathStatus& status, Instant now) {
    now_ = now;
    Peer* const peer = find_peer(key);
    if (peer == nullptr) {
        return;
    }
    const bool worked = peer->paths.working();
    const bool lost_before = peer->paths.last_handshake() != kNever;
    const bool found = peer->paths.on_status(status, forbidden(), now);
    working_peers_ += peer->paths.working() ? 1 : 0;
    working_peers_ -= worked ? 1 : 0;
    if (worked != peer->paths.working()) {
        search_soon(*peer);
        stir();
    }
    if (!found) {
        return;
    }
    if (now >= next_greeting_ || peer->candidate_until != kNever) {
        next_greeting_ = now + kGreetingPause;
        gossip_.compare_with(key);
    }
    if (lost_before && now >= next_hurry_) {
        next_hurry_ = now + kHurry;
        // Where one comes back others may: a network that was parted is whole again.
        for (const auto& other : peers_) {
            other->paths.hurry(now, milliseconds(random() % static_cast<std::uint32_t>(kHurry.count())));
            search_soon(*other);
        }
    }
}

void Mesh::search_soon(const Peer& peer) { next_search_ = std::min(next_search_, peer.paths.next_try()); }

void Mesh::drop_candidates(Instant now) {
    for (std::size_t index = peers_.size(); index-- > 0 && candidates_ > 0;) {
        const Peer& peer = *peers_[index];
        if (now >= peer.candidate_until) {
            remove_peer(PublicKey(peer.key));
        }
    }
}

/// Tries the endpoints that are due, and notes when the next will be.
void Mesh::search_peers(Instant now) {
    if (now < next_search_) {
        return;
    }
    next_search_ = kNever;
    std::size_t tries = 0;
    const std::size_t count = peers_.size();
    for (std::size_t step = 0; step < count; ++step) {
        if (tries == kMostTries) {
            next_search_ = now;
            return;
        }
        turn_ = turn_ + 1 < count ? turn_ + 1 : 0;
        Peer& peer = *peers_[turn_];
        if (now >= peer.paths.next_try()) {
            if (const auto endpoint = peer.paths.tick(now, random())) {
                world_.try_endpoint(peer.key, *endpoint);
                ++tries;
            }
        }
        search_soon(peer);
    }
}

void Mesh::tick_peers(Instant now) {
    drop_candidates(now);
    search_peers(now);
    if (now >= next_help_) {
        next_help_ = now + kHelpPause;
        ask_for_help();
        ask_for_secret();
    }
}

void Mesh::ask_for_help() {
    const PublicKey* const helper = working_peers_ < peers_.size() ? any_peer() : nullptr;
    if (helper == nullptr) {
        return;
    }
    std::array<std::uint8_t, 4 + 8 * kMostAsked> buffer;
    Writer out(buffer);
    gossip_.begin(out, MessageKind::ask);
    const std::size_t head = out.size();
    for (const auto& peer : peers_) {
        if (out.left() >= 8 && peer->paths.needs_help()) {
            out.number(key_prefix(peer->key), 8);
        }
    }
    if (out.size() > head) {
        world_.send_inside(*helper, out.written());
    }
}

void Mesh::tell_observed(const PublicKey& to, const Peer& about, Instant now) {
    if (!about.paths.working() || !about.paths.current()) {
        return;
    }
    std::array<std::uint8_t, 48> buffer;
    Writer out(buffer);
    gossip_.begin(out, MessageKind::observed);
    const milliseconds age = now - about.paths.last_handshake();  // it works, so there was one
    out.number(key_prefix(about.key), 8);
    out.number(static_cast<std::uint64_t>(std::min<std::int64_t>(age.count() / 1000, 0xFFFF)), 2);
    out.endpoint(*about.paths.current());
    world_.send_inside(to, out.written());
}

/// Both learn where this node sees the other, so that both try at once: that opens the way through two NATs.
bool Mesh::on_ask(const PublicKey& from, Reader& in, Instant now) {
    const Peer* const asking = find_peer(from);
    for (std::size_t count = 0; in.left() > 0 && count < kMostAsked; ++count) {
        const Member* const member = members_.find_prefix(in.number(8));
        if (in.failed()) {
            return false;
        }
        const Peer* const wanted = member != nullptr ? find_peer(member->key()) : nullptr;
        if (wanted != nullptr && wanted != asking && wanted->paths.working()) {
            tell_observed(from, *wanted, now);
            tell_observed(wanted->key, *asking, now);
        }
    }
    return true;
}

bool Mesh::on_observed(Reader& in, Instant now) {
    while (in.left() > 0) {
        const std::uint64_t prefix = in.number(8);
        in.number(2);
        const Endpoint endpoint = in.endpoint();
        if (in.failed()) {
            return false;
        }
        const Member* const member = members_.find_prefix(prefix);
        Peer* const peer = member != nullptr ? find_peer(member->key()) : nullptr;
        if (peer != nullptr && !peer->paths.working()) {
            peer->paths.add_observed(endpoint, forbidden(), now);
            search_soon(*peer);
        }
    }
    return true;
}

PeerSetup Mesh::wanted_of(const Peer& peer) const {
    PeerSetup wanted;
    wanted.key = peer.key;
    wanted.endpoint = peer.paths.current();
    wanted.ipv6 = peer.ipv6;
    const Member* const member = members_.find(peer.key);
    if (member != nullptr && member->has_address) {
        wanted.ipv4 = member->record().ipv4();
    }
    if (behind_nat_) {
        wanted.keepalive = kKeepalive;
    }
    return wanted;
}

PeerSetup Mesh::wanted(std::size_t index) const { return wanted_of(*peers_[index]); }

std::optional<PeerSetup> Mesh::wanted(const PublicKey& key) const {
    const Peer* const peer = find_peer(key);
    return peer != nullptr ? std::optional(wanted_of(*peer)) : std::nullopt;
}

}  // namespace thole::mesh
