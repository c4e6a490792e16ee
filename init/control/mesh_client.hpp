// What the mesh's daemon answers on its socket, /run/thole/mesh: the same form as PID 1's (control/protocol.hpp).
//
//   info          NAME=VALUE lines
//   peers         a line a peer: tab-separated NAME=VALUE fields, see MeshLine
//   differences   a line for all that the kernel has otherwise than wanted: what, wanted, actual
//   forget NODE   a name, fingerprint or public key
//   leave
//   rotate-secret   the lines that node.ini of further nodes needs
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace thole {

/// A line of `peers` or `differences`, as long as the answer's text is there. Of a peer it has
///   name         empty: it has joined, and its record is not here yet
///   key          base64
///   fingerprint, ipv6, roles
///   ipv4         empty: not settled
///   endpoint
///   state        up, searching, joining
///   handshake    seconds ago; -1: never
///   sent, received   bytes
/// and of a difference what, wanted, actual.
class MeshLine {
   public:
    explicit MeshLine(std::string_view line) : line_(line) {}

    /// A field's value; empty where the line does not have it.
    [[nodiscard]] std::string_view text(std::string_view name) const;
    /// The same as a number; -1 where it is none.
    [[nodiscard]] std::int64_t number(std::string_view name) const;

   private:
    std::string_view line_;
};

std::vector<MeshLine> mesh_lines(std::string_view answer);

/// The body of the answer. The error says whether this node has no mesh, or its daemon does not run.
Result<std::string> ask_mesh(std::string_view request);

/// The node's own address outside the mesh, as its services are told; empty where it has none yet.
std::string node_address();

}  // namespace thole
