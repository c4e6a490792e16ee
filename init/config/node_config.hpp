// The node's configuration: a value for each key of the schema and where it comes from.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "config/schema.hpp"

namespace thole {

class NodeConfig {
   public:
    /// All keys at their defaults. `keys` outlives the configuration.
    explicit NodeConfig(std::span<const Key> keys = node_keys());

    /// The canonical value of "section.key"; empty where there is no such key. Lists have commas between their items.
    [[nodiscard]] std::string_view text(std::string_view dotted) const;

    /// True for a key whose value is yes.
    [[nodiscard]] bool boolean(std::string_view dotted) const { return text(dotted) == "yes"; }

    /// The items of a list.
    [[nodiscard]] std::vector<std::string_view> list(std::string_view dotted) const;

    /// As text(), for units and templates: an error for a secret, and one that names the nearest key where there is no
    /// such key.
    [[nodiscard]] Result<std::string_view> lookup(std::string_view dotted) const;

    /// Where the value comes from: "default", "FILE:LINE", "the kernel command line", ...
    [[nodiscard]] std::string_view origin(std::string_view dotted) const;

    /// Whether a source has set it: neither a default nor worked out on the node.
    [[nodiscard]] bool is_set(std::string_view dotted) const;

    /// Checks a value and sets it. `public_source` names a place that everybody may read; secrets are refused from
    /// there.
    Status set(std::string_view section, std::string_view name, std::string_view value, std::string_view origin,
               bool public_source);

    /// Gives a key that has no value one that was worked out on the node.
    void derive(std::string_view dotted, std::string_view value, std::string_view origin);

    /// What the keys say together: ranges and addresses must not clash. Fills in what follows from other keys.
    Status finish();

    [[nodiscard]] std::span<const Key> keys() const { return keys_; }

   private:
    struct Entry {
        std::string value;
        std::string origin;
        bool set = false;
    };

    [[nodiscard]] const Entry* find(std::string_view dotted) const;

    std::span<const Key> keys_;
    std::vector<Entry> entries_;  // one for each key, in the same order
};

/// Replaces ${section.key} by its value (of a secret that is an error) and $$ by $; ${NAME} without a dot stays as it
/// is.
Result<std::string> expand(std::string_view text, const NodeConfig& config);

}  // namespace thole
