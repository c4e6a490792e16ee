// What the mesh's daemon answers on its socket, /run/thole/mesh: the same form as PID 1's (control/protocol.hpp).
//
//   info          NAME=VALUE lines
//   peers         a line a peer: tab-separated NAME=VALUE fields, see MeshPeer
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

struct MeshPeer {
    std::string name;  // empty: it has joined, and its record is not here yet
    std::string key;   // base64
    std::string fingerprint;
    std::string ipv4;  // empty: not settled
    std::string ipv6;
    std::string endpoint;
    std::string state;  // up, searching, joining
    std::string roles;
    std::int64_t handshake = -1;  // seconds ago; -1: never
    std::int64_t sent = -1;       // bytes
    std::int64_t received = -1;
};

struct MeshDifference {
    std::string what;
    std::string wanted;
    std::string actual;
};

/// The body of the answer. The error says whether this node has no mesh, or its daemon does not run.
Result<std::string> ask_mesh(std::string_view request);

Result<std::vector<MeshPeer>> ask_mesh_peers();
Result<std::vector<MeshDifference>> ask_mesh_differences();

/// The lines of `peers`; fields that are not known are passed over.
std::vector<MeshPeer> parse_mesh_peers(std::string_view text);

/// The node's own address outside the mesh, as its services are told; empty where it has none yet.
std::string node_address();

}  // namespace thole
