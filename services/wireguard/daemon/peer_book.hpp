// What the daemon keeps of each peer besides the mesh: whose address a message came from, and when its last handshake
// was by this node's own clock.
#pragma once

#include <vector>

#include "device.hpp"
#include "mesh.hpp"

namespace thole::mesh {

class PeerBook {
   public:
    /// Takes the mesh's present peers; what is known of those that stay is kept.
    void update(const Mesh& mesh);

    /// Whose mesh address this is, or null.
    [[nodiscard]] const PublicKey* owner(const Address& ipv6) const;

    /// What the kernel says of a peer, in the mesh's words. The kernel counts handshakes in seconds of the wall clock,
    /// which may be set: a handshake's time is worked out once, when it is first seen.
    PathStatus status(const DevicePeer& peer, const Address& ipv6, Instant now, std::uint64_t seconds);

   private:
    struct Entry {
        Address ipv6;
        PublicKey key;
        std::optional<std::uint64_t> handshake_seconds;
        Instant handshake;
    };

    [[nodiscard]] std::vector<Entry>::const_iterator find(const Address& ipv6) const;

    std::vector<Entry> entries_;  // by address
};

}  // namespace thole::mesh
