// Who the node is in the mesh: the private key that it made on its first boot, and the little that it remembers of
// itself from boot to boot.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "crypto.hpp"

namespace thole::mesh {

/// The key in FOLDER/private.key. Where there is no such file, one is made of `random` (32 bytes from getrandom(2)) and
/// is on the disk, with its folder, before this returns: a power cut leaves no key or this one. Anything else in its
/// place is an error that says what to do: an identity is never replaced silently.
Result<PrivateKey> node_key(const std::string& folder, const Block& random);

/// What a node keeps of itself besides the key. Losing it costs nothing but a new search for an address.
struct NodeState {
    std::uint32_t epoch = 0;    // of this boot; greater than that of any boot before
    std::uint8_t attempt = 0;   // which of the addresses that come from the key, see addresses.hpp
    std::uint64_t settled = 0;  // when that address was settled, in seconds since 1970; 0: not yet

    friend bool operator==(const NodeState&, const NodeState&) = default;
};

/// The state for a new boot, saved before it is returned: the epoch is one more than the last, or the clock where that
/// is more, so that a lost file does no harm on a machine that knows the time.
Result<NodeState> begin_epoch(const std::string& folder, std::uint64_t seconds);

Status save_state(const std::string& folder, const NodeState& state);

/// "epoch 7\nattempt 0\nsettled 1767225600\n". A file that is not just so counts as none.
std::string state_text(const NodeState& state);
NodeState parse_state(std::string_view text);

}  // namespace thole::mesh
