#include "install/node_file.hpp"

#include "base/text.hpp"
#include "config/sources.hpp"
#include "os/file.hpp"

namespace thole::install {

namespace {

constexpr std::string_view kDataKey = "node.data-key";

/// A default, what the image says anyway, and what was worked out from the machine are not the person's.
bool was_set(const NodeConfig& config, const Key& key) {
    const std::string dotted = concat(key.section, ".", key.name);
    const auto origin = config.origin(dotted);
    const bool said = origin.starts_with("the ") || origin.find(':') != std::string_view::npos;
    const bool live_only = key.section == "install" || dotted == "node.data" || dotted == kDataKey;
    return said && !origin.starts_with("/usr/") && !live_only;
}

}  // namespace

std::string as_node_file(const NodeConfig& config) {
    std::string text = "# As this node was told when it was installed.\n";
    std::string_view section;
    for (const Key& key : config.keys()) {
        if (!was_set(config, key)) {
            continue;
        }
        if (key.section != section) {
            section = key.section;
            append(text, "\n[", section, "]\n");
        }
        append(text, key.name, " = ", config.text(concat(key.section, ".", key.name)), "\n");
    }
    return text;
}

Result<std::string> checked_node_file(const std::string& path) {
    auto text = read_file(path);
    if (!text) {
        return std::unexpected(text.error());
    }
    NodeConfig config;
    if (auto added = add_ini(config, path, *text, false); !added) {
        return std::unexpected(added.error());
    }
    if (!config.text(kDataKey).empty()) {
        return failure(concat(path, ": ", kDataKey,
                              " would lie on the disk that it locks: hand it over by SMBIOS, fw_cfg, a medium that stays "
                              "in the machine, or a URL"));
    }
    if (auto finished = config.finish(); !finished) {
        return with_context(path, finished.error());
    }
    return text;
}

}  // namespace thole::install
