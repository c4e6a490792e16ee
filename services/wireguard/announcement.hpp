// What other services of this node want told to the other nodes: words for what the node is, and the networks of its
// pods. No system calls.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "config/address.hpp"

namespace thole::mesh {

/// Where services write it, all of it at once (rename(2)); the mesh reads it whenever it changes.
inline constexpr std::string_view kAnnouncementFolder = "/run/thole";
inline constexpr std::string_view kAnnouncementName = "announce";

struct Announcement {
    std::vector<std::string> roles;
    std::vector<Network> pods;

    friend bool operator==(const Announcement& left, const Announcement& right);
};

/// Lines "role WORD" and "pods NETWORK"; blank ones and those that begin with '#' do not count. Errors name the line:
/// another first word, a word that is no name, a network that is none or has bits behind its prefix, too many.
Result<Announcement> parse_announcement(std::string_view text);

/// The words of node.ini and those of the announcement, as records have them. An error where they are too long
/// together.
Result<std::string> all_roles(std::string_view of_node_ini, const Announcement& announcement);

}  // namespace thole::mesh
