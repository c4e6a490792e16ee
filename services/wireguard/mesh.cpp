#include "mesh.hpp"

#include <algorithm>

namespace thole::mesh {

namespace {

constexpr milliseconds kTick{500};
constexpr milliseconds kUpkeep{10'000};

}  // namespace

Mesh::Mesh(Settings settings, const ClusterSecret& secret, World& world, Instant now)
    : settings_(std::move(settings)),
      world_(world),
      now_(now),
      keys_(secret),
      gate_(settings_.random),
      members_(settings_.ranges, *this),
      gossip_(members_, *this),
      state_(settings_.state),
      version_{state_.epoch, 0},
      claimed_(now),
      next_renewal_(now),
      next_upkeep_(now + kUpkeep),
      next_help_(now),
      next_greeting_(now),
      next_hurry_(now),
      next_tick_(now) {
    wipe(settings_.random);
    for (const Endpoint& where : settings_.seeds) {
        if (seeds_.size() < kMostSeeds) {
            seeds_.push_back({.where = where, .key = std::nullopt, .next = now});
        }
    }
    publish(now);
}

std::uint32_t Mesh::random() {
    std::array<std::uint8_t, 4> bytes{};
    world_.fill_random(bytes);
    return static_cast<std::uint32_t>(Reader(bytes).number(4));
}

void Mesh::on_inside(const PublicKey& from, Bytes message, Instant now) {
    now_ = now;
    if (find_peer(from) == nullptr || gossip_.on_message(from, message, now)) {
        return;
    }
    Reader in(message);
    in.number(1);
    const auto kind = static_cast<MessageKind>(in.number(1));
    in.number(2);
    if (kind == MessageKind::ask) {
        on_ask(from, in, now);
    } else if (kind == MessageKind::observed) {
        on_observed(in, now);
    }
}

void Mesh::tick(Instant now) {
    now_ = now;
    if (now < next_deadline()) {
        return;
    }
    gossip_.tick(now);
    if (now < next_tick_) {
        return;
    }
    next_tick_ = now + kTick;
    tick_seeds(now);
    tick_peers(now);
    tick_claim(now);
    if (now >= next_upkeep_) {
        next_upkeep_ = now + kUpkeep;
        if (members_.expire(settings_.key, now)) {
            drop_expired();
        }
        members_.decide_addresses(now);
    }
    if (address_changes_ != members_.address_changes()) {
        address_changes_ = members_.address_changes();
        world_.on_addresses_changed();
    }
}

Instant Mesh::next_deadline() const { return std::min(next_tick_, gossip_.next_deadline()); }

void Mesh::set_endpoints(std::vector<KnownEndpoint> endpoints, Instant now) {
    now_ = now;
    if (endpoints != settings_.endpoints) {
        settings_.endpoints = std::move(endpoints);
        publish(now);
    }
}

void Mesh::leave(Instant now) {
    now_ = now;
    left_ = true;
    publish(now);
}

bool Mesh::forget(const PublicKey& key, Instant now) {
    now_ = now;
    if (key == settings_.key || members_.find(key) == nullptr) {
        return false;
    }
    NodeRecord grave;
    grave.key = key;
    grave.version = kForgotten;
    grave.forgotten = true;
    grave.forgotten_by = settings_.key;
    on_record(members_.put(std::move(grave), now));
    gossip_.wake(now);
    return true;
}

bool Mesh::admits(const RecordHead& head, Bytes content) {
    if (head.key != settings_.key) {
        return true;
    }
    if (head.version == kForgotten) {
        forgotten_ = true;
    } else if (head.version > version_ && head.version.epoch < kForgotten.epoch - 1) {
        // Somebody has newer words of this node than it said itself: its state was lost, or somebody lies. It speaks
        // again, and newer still.
        version_ = {head.version.epoch + 1, 0};
        answer_back_ = true;
    } else if (head.version == version_ && !std::ranges::equal(content, encoded(self().record).content())) {
        // The same for a boot that counts as an earlier one did.
        answer_back_ = true;
    }
    return false;
}

void Mesh::on_record(const Member& member) {
    const NodeRecord& record = member.record;
    if (!member.present()) {
        remove_peer(record.key);
        return;
    }
    Peer& peer = add_peer(record.key);
    if (peer.candidate_until) {
        peer.candidate_until.reset();
        --candidates_;
    }
    peer.paths.set_known(record.endpoints, forbidden(), now_);
    world_.on_peer_changed(record.key);
}

}  // namespace thole::mesh
