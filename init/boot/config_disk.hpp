// How a node.ini with secrets in it comes to a machine: the config disk, a stick, a CD or a virtual disk with the label
// thole-config and a node.ini at its root; or the seed that clouds and virtual machines' managers attach (cloud-init's
// NoCloud, label cidata). Boot reads them and leaves them alone after.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"
#include "os/console.hpp"

namespace thole {

inline constexpr std::string_view kConfigLabel = "thole-config";

/// Copies the config disk's node.ini to kConfigDiskCopy; the seed's user-data, where that is a node.ini, to kSeedCopy,
/// and the host name in its meta-data to kSeedNameCopy. Nothing happens where there is neither. A user-data for
/// cloud-init is not taken, and the console says so. Errors: two of a kind, one that cannot be mounted, a config disk
/// without node.ini.
Status take_config_media(Console& console);

/// Whether a user-data is a node.ini: its first line, without comments, begins a section.
bool is_node_ini(std::string_view user_data);

/// `local-hostname` in a meta-data, without its domain; empty where there is none.
std::string seed_name(std::string_view meta_data);

}  // namespace thole
