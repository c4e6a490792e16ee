// Which addresses a node has in the mesh, and who keeps one that two want. docs/mesh.md has the rules in full.
#pragma once

#include <cstdint>

#include "base/error.hpp"
#include "config/address.hpp"
#include "crypto.hpp"

namespace thole::mesh {

/// The ranges of a cluster.
struct Ranges {
    Network ipv4;  // the mesh range of node.ini
    Network ipv6;  // a /64
};

/// An IPv4 range with room for some nodes.
Status check_mesh_range(const Network& range);

/// fdXX:XXXX:XXXX::/64 (RFC 4193) from the secret that the cluster was made with. A secret that came later does not
/// change it: nodes keep it with their configuration.
Network ula_range(const ClusterSecret& first);

/// The node's IPv6 address: 64 bits of the key's hash, so that nobody else can claim it.
Address mesh_ipv6(const Network& range, const PublicKey& key);

/// One of the 256 IPv4 addresses that come from a key. Never the network's, the broadcast address, or the first; nor in
/// the first sixteenth of the range, which is left for static addresses.
Address mesh_ipv4(const Network& range, const PublicKey& key, std::uint8_t attempt);

/// An address in the range that a node can have.
bool is_mesh_host(const Network& range, const Address& address);

/// What a record says of the node's right to its address, and to its name.
struct Claim {
    bool stale = false;         // its owner has not been heard of for hours
    bool fixed = false;         // a person chose it
    std::uint64_t settled = 0;  // when it was settled, in seconds since 1970; 0: not yet
    const PublicKey* key = nullptr;
};

/// Whether `left` goes before `right`: a fixed address before one from a hash, a settled claim before one that is not,
/// the older before the younger, the lower hash of the key before the higher. All nodes see the same records and so
/// decide alike.
bool goes_before(const Claim& left, const Claim& right);

}  // namespace thole::mesh
