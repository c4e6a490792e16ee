#include "install/node_file.hpp"

#include "base/text.hpp"
#include "config/sources.hpp"
#include "os/file.hpp"

namespace thole::install {

namespace {

constexpr std::string_view kDataKey = "node.data-key";

/// What the image says anyway is in the installed one too.
bool is_wanted(const NodeConfig& config, const Key& key) {
    const std::string dotted = concat(key.section, ".", key.name);
    const bool by_image = config.origin(dotted).starts_with("/usr/");
    const bool live_only = key.section == "install" || dotted == "node.data" || dotted == kDataKey;
    return config.is_set(dotted) && !by_image && !live_only;
}

}  // namespace

std::string as_node_file(const NodeConfig& config) {
    std::string text = "# As this node was told when it was installed.\n";
    std::string_view section;
    for (const Key& key : config.keys()) {
        if (!is_wanted(config, key)) {
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
        return failure(
            concat(path, ": ", kDataKey,
                   " would lie on the disk that it locks: hand it over by SMBIOS, fw_cfg, a medium that stays "
                   "in the machine, or a URL"));
    }
    if (auto finished = config.finish(); !finished) {
        return with_context(path, finished.error());
    }
    return text;
}

}  // namespace thole::install
