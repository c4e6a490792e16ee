// Outside the tunnel: seeds are asked until they are peers, and who asks with the cluster's secret becomes one.
#include <algorithm>

#include "mesh.hpp"

namespace thole::mesh {

namespace {

constexpr milliseconds kFirstPause{1'000};
constexpr milliseconds kLongestPause{30'000};
constexpr milliseconds kCandidate{60'000};

}  // namespace

void Mesh::set_seeds(std::span<const Endpoint> seeds, Instant now) {
    std::vector<Seed> chosen;
    for (const Endpoint& where : seeds) {
        const auto known = std::ranges::find(seeds_, where, &Seed::where);
        if (chosen.size() < kMostSeeds && std::ranges::find(chosen, where, &Seed::where) == chosen.end()) {
            chosen.push_back(known != seeds_.end() ? *known : Seed{.where = where, .key = std::nullopt, .next = now});
        }
    }
    seeds_ = std::move(chosen);
    now_ = now;
    stir();
}

void Mesh::tick_seeds(Instant now) {
    for (Seed& seed : seeds_) {
        if (now < seed.next || forgotten_ || left_) {
            continue;
        }
        // Doubled up to half a minute, and so on for ever.
        seed.pause = seed.pause == milliseconds() ? kFirstPause : std::min(seed.pause * 2, kLongestPause);
        const auto spread = static_cast<std::uint32_t>(seed.pause.count() / 4);
        seed.next = now + seed.pause + milliseconds(random() % spread);
        if (seed.key && alive(*seed.key)) {
            seed.pause = kLongestPause / 2;
            continue;
        }
        // While the secret is being changed nobody knows which one the seed has.
        send_hello(seed.where, HelloKind::ask, {}, seed.turn++ % keys_.count(now), now);
    }
}

void Mesh::send_hello(const Endpoint& to, HelloKind kind, const Challenge& echo, std::size_t which, Instant now) {
    Hello hello;
    hello.kind = kind;
    hello.epoch = version_.epoch;
    hello.counter = ++hello_counter_;
    hello.key = settings_.key;
    hello.challenge = gate_.challenge(to, now);
    hello.echo = echo;
    hello.port = settings_.port;
    hello.ipv4 = self().record().ipv4();
    if (kind != HelloKind::ask) {
        hello.seen = to;
    }
    hello.name = settings_.name;
    std::array<std::uint8_t, kNonceSize> nonce{};
    world_.fill_random(nonce);
    ++hello_counts_.sent;
    world_.send_outside(to, seal_hello(keys_, which, nonce, hello));
}

bool Mesh::is_fresh(const Hello& hello, const Endpoint& from, Instant now) const {
    if (gate_.answers(hello.echo, from, now)) {
        return true;
    }
    // A seed may be a group, or answer from another address than it was asked at.
    return std::ranges::any_of(seeds_, [&](const Seed& seed) { return gate_.answers(hello.echo, seed.where, now); });
}

void Mesh::on_outside(const Endpoint& from, Bytes datagram, Instant now) {
    now_ = now;
    if (datagram.size() != kHelloSize) {
        ++hello_counts_.strange;
        return;
    }
    if (!gate_.admits(from, now)) {
        ++hello_counts_.too_many;
        return;
    }
    const auto opened = open_hello(keys_, datagram, now);
    if (!opened || opened->hello.key == settings_.key) {
        ++hello_counts_.strange;
        return;
    }
    const Hello& hello = opened->hello;
    const Member* const member = members_.find(hello.key);
    if (member != nullptr && member->record().forgotten()) {
        ++hello_counts_.strange;
        return;
    }
    if (!gate_.is_new(hello.key, hello.epoch, hello.counter, now)) {
        ++hello_counts_.replayed;
        return;
    }
    if (hello.kind == HelloKind::ask) {
        send_hello(from, HelloKind::answer, hello.challenge, opened->which, now);
        return;
    }
    if (!is_fresh(hello, from, now)) {
        ++hello_counts_.replayed;
        return;
    }
    if (hello.kind == HelloKind::answer) {
        send_hello(from, HelloKind::confirm, hello.challenge, opened->which, now);
    }
    meet(hello, from, now);
}

/// A node that was there just now, and knows the secret.
void Mesh::meet(const Hello& hello, const Endpoint& from, Instant now) {
    if (hello.seen) {
        note_seen(*hello.seen);
    }
    for (Seed& seed : seeds_) {
        if (seed.where == from || gate_.answers(hello.echo, seed.where, now)) {
            seed.key = hello.key;
        }
    }
    Peer* peer = find_peer(hello.key);
    if (peer == nullptr) {
        if (candidates_ >= kMostCandidates) {
            return;
        }
        peer = &add_peer(hello.key);
        peer->candidate_until = now + kCandidate;
        ++candidates_;
        world_.on_peer_changed(hello.key);
    }
    peer->paths.add_observed({from.address, hello.port}, forbidden(), now);
    peer->paths.hurry(now, milliseconds(0));
    search_soon(*peer);
    next_tick_ = now;
}

void Mesh::note_seen(const Endpoint& seen) {
    const bool own = std::ranges::any_of(
        settings_.endpoints, [&](const KnownEndpoint& endpoint) { return endpoint.where.address == seen.address; });
    if (behind_nat_ != !own) {
        behind_nat_ = !own;
        for (const auto& peer : peers_) {
            world_.on_peer_changed(peer->key);
        }
    }
}

}  // namespace thole::mesh
