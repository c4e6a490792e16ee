// The cluster's secret when it is changed: whoever sees that a member has a newer one asks for it, inside the tunnel.
#include "mesh.hpp"

namespace thole::mesh {

namespace {

std::uint32_t check_of(const ClusterSecret& secret) {
    return static_cast<std::uint32_t>(hash("thole secret check", {secret.bytes()}).prefix() >> 32U);
}

}  // namespace

void Mesh::take_secret(const ClusterSecret& secret, const SecretVersion& version, Instant now) {
    keys_.rotate(secret, now + kSecretGrace);
    secret_ = ClusterSecret(secret.bytes());
    settings_.secret = version;
    world_.on_secret(secret_, version);
    publish(now);
}

void Mesh::rotate_secret(const ClusterSecret& secret, Instant now) {
    now_ = now;
    stir();
    const SecretVersion newest = std::max(newest_secret_, settings_.secret);
    take_secret(secret, {newest.generation + 1, check_of(secret)}, now);
}

/// One member at a time; the next try may find another.
void Mesh::ask_for_secret() {
    if (newest_secret_ <= settings_.secret) {
        return;
    }
    const Member* newest = nullptr;
    for (const auto& member : members_.all()) {
        const SecretVersion& known = newest != nullptr ? newest->record().secret() : settings_.secret;
        if (member->present() && member->record().secret() > known && reaches(member->key())) {
            newest = member.get();
        }
    }
    if (newest != nullptr) {
        std::array<std::uint8_t, 8> buffer;
        Writer out(buffer);
        gossip_.begin(out, MessageKind::want_secret);
        world_.send_inside(newest->key(), out.written());
    }
}

void Mesh::tell_secret(const PublicKey& to) {
    const Member* const member = members_.find(to);
    if (member == nullptr || !member->present() || settings_.secret.generation == 0) {
        return;
    }
    std::array<std::uint8_t, 40> buffer;
    Writer out(buffer);
    gossip_.begin(out, MessageKind::secret);
    out.number(settings_.secret.generation, 4);
    out.bytes(secret_.bytes());
    world_.send_inside(to, out.written());
    wipe(buffer);
}

/// Only what the member's own record says that it has is taken, and only where it is newer.
void Mesh::on_secret_message(const PublicKey& from, Reader& in, Instant now) {
    const auto generation = static_cast<std::uint32_t>(in.number(4));
    const ClusterSecret secret(in.block());
    const Member* const member = members_.find(from);
    const SecretVersion version{generation, check_of(secret)};
    if (in.complete() && member != nullptr && member->record().secret() == version && version > settings_.secret) {
        take_secret(secret, version, now);
    }
}

}  // namespace thole::mesh
