// Who may ask a node for something, and the key by which it is known.
//
// A client's key is made from the cluster's secret and from what it was granted. So every node can work it out from the
// grant that the client shows, and keeps no list; the client knows its own key and can make no other from it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "crypto.hpp"

namespace thole::remote {

enum class Role : std::uint8_t {
    none,
    read_only,
    admin,
    node,  // what it may do is said by the node that it asks, in remote.nodes
};

/// "none", "read-only", "admin" or "node".
std::string_view role_name(Role role);

/// Of the words of node.ini; `none` for any other.
Role role_of(std::string_view name);

inline constexpr std::size_t kLongestName = 63;
inline constexpr std::uint64_t kNever = UINT64_MAX;

struct Grant {
    mesh::Block id{};  // random, so that no two grants have one key; zeros for nodes
    Role role = Role::none;
    std::uint64_t expires = 0;  // seconds since 1970
    std::string name;

    friend bool operator==(const Grant&, const Grant&) = default;
};

mesh::Secret grant_key(const mesh::ClusterSecret& secret, const Grant& grant);

/// One that can prove that it has a grant.
struct Identity {
    Grant grant;
    mesh::Secret key;
    std::string endpoint;  // where to find a node; empty for nodes
};

/// The node that runs this, with the cluster's secret.
Identity node_identity(const mesh::ClusterSecret& secret, std::string_view name);

/// A client's file, of ini form. It has a key in it.
std::string client_file(const Identity& identity, std::string_view cluster);

/// Reads such a file. Errors name line and key, and repeat no key's value.
Result<Identity> parse_client_file(std::string_view file, std::string_view text);

/// The same from disk. An error where others than its owner may read it.
Result<Identity> load_client(const std::string& path);

}  // namespace thole::remote
