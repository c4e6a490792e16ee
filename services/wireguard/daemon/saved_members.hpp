// What a node knew of the others, kept over a restart of the daemon or the machine: a cluster that loses its power
// finds itself again without seeds.
#pragma once

#include <string>
#include <vector>

#include "members.hpp"

namespace thole::mesh {

/// All but this node's own record, and when each was written. `seconds` is the time since 1970.
std::string members_text(const Members& members, const PublicKey& self, Instant now, std::uint64_t seconds);

struct SavedMember {
    Bytes record;  // in the text that was read
    milliseconds age{};
};

/// What members_text() wrote. A file that is cut, damaged or of another format gives what comes before the damage: the
/// rest is learnt again.
std::vector<SavedMember> parse_members(std::string_view text, std::uint64_t seconds);

}  // namespace thole::mesh
