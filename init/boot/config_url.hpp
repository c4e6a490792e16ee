// A node.ini that the kernel's command line names by its address and its sum: for machines that start from the network.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "config/node_config.hpp"
#include "os/console.hpp"

namespace thole {

struct ConfigUrl {
    std::string url;
    std::string sum;  // SHA-256 as 64 hexadecimal digits
};

/// thole-config-url=URL and thole-config-sha256=SUM of a kernel command line; nothing where there is neither. An error
/// where one of them is missing or is not what it should be. Pure.
Result<std::optional<ConfigUrl>> config_url(std::string_view command_line);

/// The SHA-256 of a text, as hexadecimal digits.
std::string sha256(std::string_view text);

/// What this machine's command line names, and is not there yet.
Result<std::optional<ConfigUrl>> wanted_config_url();

/// Fetches it to kUrlCopy. `config` is what is known so far: it says how to reach the network.
Status take_config_url(Console& console, const ConfigUrl& place, const NodeConfig& config);

}  // namespace thole
