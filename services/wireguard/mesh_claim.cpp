// This node's own record: when it is written anew, and how the node comes to an IPv4 address.
#include "mesh.hpp"

namespace thole::mesh {

namespace {

/// How long nobody may object before an address is settled: with others there, and alone.
constexpr milliseconds kSettle{3'000};
constexpr milliseconds kSettleAlone{10'000};

}  // namespace

void Mesh::publish(Instant now) {
    ++version_.sequence;
    if (version_.epoch != state_.epoch) {
        state_.epoch = version_.epoch;
        world_.save(state_);
    }
    NodeRecord record;
    record.key = settings_.key;
    record.version = version_;
    record.left = left_;
    record.fixed_address = settings_.fixed_ipv4.has_value();
    record.attempt = record.fixed_address ? std::uint8_t{0} : state_.attempt;
    record.settled = state_.settled;
    record.ipv4 = settings_.fixed_ipv4.value_or(mesh_ipv4(settings_.ranges.ipv4, settings_.key, state_.attempt));
    record.port = settings_.port;
    record.secret = settings_.secret;
    record.name = settings_.name;
    record.roles = settings_.roles;
    record.pods = settings_.pods;
    record.endpoints = settings_.endpoints;
    members_.put(record, now);
    gossip_.wake(now);
    answer_back_ = false;
    // Not all at once after a power cut of the whole cluster: nine to eleven tenths of the time.
    const auto tenth = static_cast<std::uint32_t>(milliseconds(kRenewal).count() / 10);
    next_renewal_ = now + (kRenewal - milliseconds(tenth)) + milliseconds(random() % (2 * tenth));
}

void Mesh::tick_claim(Instant now) {
    const bool lost = members_.first_claimant(self().record().ipv4(), now) != &self() && !left_;
    refused_address_ = lost && settings_.fixed_ipv4.has_value();
    if (lost && (!refused_address_ || state_.settled != 0)) {
        lose_claim(now);
    } else if (!lost && state_.settled == 0 && may_settle(now)) {
        settle(now);
    } else if (answer_back_ || now >= next_renewal_) {
        publish(now);
    }
}

/// Another goes before this node. It gives the address up and takes the next that comes from its key; a static one it
/// can only not use.
void Mesh::lose_claim(Instant now) {
    state_.settled = 0;
    if (!refused_address_) {
        ++state_.attempt;
    }
    claimed_ = now;
    agreed_ = false;
    world_.save(state_);
    publish(now);
}

bool Mesh::may_settle(Instant now) const {
    const Member* const holder = members_.holder(self().record().ipv4());
    if (holder != nullptr && holder != &self()) {
        return false;
    }
    const bool alone = members_.all().size() == 1;
    return now - claimed_ >= (alone ? kSettleAlone : kSettle) && (alone || agreed_);
}

void Mesh::settle(Instant now) {
    state_.settled = std::max<std::uint64_t>(world_.seconds_since_1970(), 1);
    world_.save(state_);
    publish(now);
}

}  // namespace thole::mesh
