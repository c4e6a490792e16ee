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
      secret_(secret.bytes()),
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
    set_seeds(settings_.seeds, now);
    publish(now);
}

std::uint32_t Mesh::random() {
    std::array<std::uint8_t, 4> bytes{};
    world_.fill_random(bytes);
    return static_cast<std::uint32_t>(Reader(bytes).number(4));
}

void Mesh::on_inside(const PublicKey& from, Bytes message, Instant now) {
    now_ = now;
    if (find_peer(from) == nullptr) {
        return;
    }
    stir();
    if (gossip_.on_message(from, message, now)) {
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
    } else if (kind == MessageKind::want_secret) {
        tell_secret(from);
    } else if (kind == MessageKind::secret) {
        on_secret_message(from, in, now);
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
    next_tick_ = std::max(now + kTick, next_work(now));
}

Instant Mesh::next_deadline() const { return std::min(next_tick_, gossip_.next_deadline()); }

void Mesh::stir() { next_tick_ = std::min(next_tick_, now_ + kTick); }

Instant Mesh::next_work(Instant now) const {
    if (state_.settled == 0 || candidates_ > 0) {
        return now;
    }
    Instant next = std::min({next_upkeep_, next_renewal_, next_search_});
    for (const Seed& seed : seeds_) {
        next = forgotten_ || left_ ? next : std::min(next, seed.next);
    }
    return next;
}

void Mesh::set_endpoints(std::vector<KnownEndpoint> endpoints, Instant now) {
    now_ = now;
    stir();
    if (endpoints != settings_.endpoints) {
        settings_.endpoints = std::move(endpoints);
        for (Seed& seed : seeds_) {
            seed.pause = {};
            seed.next = now;
        }
        publish(now);
    }
}

void Mesh::set_announcement(const std::string& roles, const std::vector<Network>& pods, Instant now) {
    now_ = now;
    stir();
    settings_.roles = roles;
    settings_.pods = pods;
    publish(now);
}

void Mesh::restore(Bytes record, milliseconds age, Instant now) {
    now_ = now;
    stir();
    const auto head = read_head(record);
    if (head && head->key != settings_.key && members_.merge(record, age, now) == Merge::changed) {
        on_record(*members_.find(head->key));
    }
}

void Mesh::leave(Instant now) {
    now_ = now;
    stir();
    left_ = true;
    publish(now);
}

bool Mesh::forget(const PublicKey& key, Instant now) {
    now_ = now;
    stir();
    if (key == settings_.key || members_.find(key) == nullptr) {
        return false;
    }
    NodeRecord grave;
    grave.key = key;
    grave.version = kForgotten;
    grave.forgotten = true;
    grave.forgotten_by = settings_.key;
    on_record(members_.put(grave, now));
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
    } else if (head.version == version_ && !std::ranges::equal(content, self().content())) {
        // The same for a boot that counts as an earlier one did.
        answer_back_ = true;
    }
    return false;
}

void Mesh::on_record(const Member& member) {
    const PublicKey key = member.key();
    newest_secret_ = std::max(newest_secret_, member.record().secret());
    if (!member.present()) {
        remove_peer(key);
        return;
    }
    Peer& peer = add_peer(key);
    if (peer.candidate_until != kNever) {
        peer.candidate_until = kNever;
        --candidates_;
    }
    peer.paths.set_known(member.read().endpoints, forbidden(), now_);
    search_soon(peer);
    world_.on_peer_changed(key);
}

}  // namespace thole::mesh
