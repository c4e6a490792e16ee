// What has to change so that the kernel has what the mesh wants, and nothing besides. No system calls.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "device.hpp"

namespace thole::mesh {

struct WantedPeer {
    PublicKey key;
    std::optional<Endpoint> endpoint;
    /// The endpoint is a new choice and goes before what the kernel has. Else it is set only where the kernel has none,
    /// because the kernel follows a peer that moves.
    bool move = false;
    std::chrono::seconds keepalive{};
    std::vector<Network> allowed;
};

/// Removals first, then peers that lose networks, then the rest: a network that goes from one peer to another is never
/// at the wrong one because of the order. A network that two want is the first's, of a peer named twice the first
/// counts.
std::vector<PeerChange> peer_changes(std::span<const WantedPeer> wanted, const Device& actual);

/// Addresses of a link, or destinations of its routes.
struct NetworkChanges {
    std::vector<Network> remove;
    std::vector<Network> add;
};

/// Addresses are compared with their host bits and prefix.
NetworkChanges address_changes(std::span<const Network> wanted, std::span<const Network> actual);

/// Routes are compared by their network; host bits do not count.
NetworkChanges route_changes(std::span<const Network> wanted, std::span<const Network> actual);

/// One line of `thole mesh status`.
struct Difference {
    std::string what;    // "peer 1f0c-…: allowed", "address"
    std::string wanted;  // empty: it should not be there
    std::string actual;  // empty: it is not there
};

/// All that peer_changes() would change.
std::vector<Difference> peer_differences(std::span<const WantedPeer> wanted, const Device& actual);

/// The same for addresses or routes; `what` is the word for one.
std::vector<Difference> network_differences(std::string_view what, const NetworkChanges& changes);

}  // namespace thole::mesh
