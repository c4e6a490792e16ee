// The table of keys as people see it: the search for a name, and the reference page.
#include <algorithm>
#include <vector>

#include "base/text.hpp"
#include "config/schema.hpp"

namespace thole {

namespace {

std::vector<std::string_view> section_names(std::span<const Key> keys) {
    std::vector<std::string_view> names;
    for (const Key& key : keys) {
        if (std::ranges::find(names, key.section) == names.end()) {
            names.push_back(key.section);
        }
    }
    return names;
}

std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates, std::string_view open,
                         std::string_view close) {
    const auto near = nearest_name(word, candidates);
    if (!near.empty()) {
        return concat("; did you mean ", open, near, close, "?");
    }
    std::string all = "; there are";
    for (const auto candidate : candidates) {
        all += concat(candidate == candidates.front() ? " " : ", ", open, candidate, close);
    }
    return all;
}

std::string reference_line(const Key& key) {
    const std::string fallback = key.fallback.empty() ? "" : concat("`", key.fallback, "`");
    const std::string_view secret = key.secret ? " Secret: refused on the kernel command line." : "";
    return concat("| `", key.name, "` | ", allowed_values(key), " | ", fallback, " | ", key.doc, secret, " |\n");
}

}  // namespace

Result<const Key*> find_key(std::span<const Key> keys, std::string_view section, std::string_view name) {
    std::vector<std::string_view> names;
    for (const Key& key : keys) {
        if (key.section == section && key.name == name) {
            return &key;
        }
        if (key.section == section) {
            names.push_back(key.name);
        }
    }
    if (names.empty()) {
        return failure(concat("unknown section [", section, "]", did_you_mean(section, section_names(keys), "[", "]")));
    }
    return failure(concat("unknown key '", name, "' in [", section, "]", did_you_mean(name, names, "'", "'")));
}

std::string config_reference(std::span<const Key> keys) {
    std::string out =
        "# node.ini\n\n"
        "One file says what a node is. An empty value means the default. A line that begins with blanks continues the "
        "value\n"
        "of the line above; `#` and `;` begin a comment on a line of their own. Items of a list stand with commas or "
        "blanks\n"
        "between them.\n";
    std::string_view section;
    for (const Key& key : keys) {
        if (key.section != section) {
            section = key.section;
            out +=
                concat("\n## [", section, "]\n\n| key | takes | default | what it is |\n| --- | --- | --- | --- |\n");
        }
        out += reference_line(key);
    }
    return out;
}

}  // namespace thole
