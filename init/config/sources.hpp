// Where node.ini's values come from, weakest first: image, data disk, seed, config disk, SMBIOS, fw_cfg, a URL, kernel
// command line, a container's environment.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "config/node_config.hpp"

namespace thole {

/// What boot keeps of the config disk, in memory and for root alone: services read their secrets there.
inline constexpr std::string_view kConfigDiskCopy = "/run/thole/config-disk.ini";
/// The same of the seed, and of what the kernel's command line names by a URL.
inline constexpr std::string_view kSeedNameCopy = "/run/thole/seed-name.ini";
inline constexpr std::string_view kSeedCopy = "/run/thole/seed.ini";
inline constexpr std::string_view kUrlCopy = "/run/thole/url.ini";

/// Sets every key of an ini text. A key that stands there twice is an error. `public_source` as in NodeConfig::set.
Status add_ini(NodeConfig& config, std::string_view file, std::string_view text, bool public_source);

/// Sets every key of a file, which `name` stands for in messages. A file that everybody may read is a public source.
Status add_ini_file(NodeConfig& config, const std::string& path, std::string_view name);

/// Sets every thole.SECTION.KEY=VALUE of a kernel command line; double quotes keep blanks in a value. Other words are
/// not ours.
Status add_command_line(NodeConfig& config, std::string_view command_line);

/// Sets every thole.SECTION.KEY=VALUE among a machine's OEM strings (SMBIOS, type 11). Only root can read them: secrets
/// may stand there.
Status add_oem_strings(NodeConfig& config, std::string_view table);

/// Sets keys from THOLE_SECTION_KEY=VALUE (hyphens as underscores) and from the short names of the schema, such as
/// NODE_NAME.
Status add_environment(NodeConfig& config, std::span<const char* const> environment);

/// All sources below `root` (empty for the machine's own root), then finish(). `environment` is read in a container
/// only. On an error nothing is taken.
Result<NodeConfig> load_node_config(const std::string& root, bool in_container,
                                    std::span<const char* const> environment);

}  // namespace thole
