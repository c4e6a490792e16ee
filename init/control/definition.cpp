#include "control/definition.hpp"

#include <algorithm>
#include <cerrno>

#include "base/text.hpp"

namespace thole {

namespace {

void add_places(const Definition& unit, std::string_view key, const std::vector<std::string_view>& names,
                std::vector<std::size_t>& places) {
    const std::string value = unit.value("unit", key);
    for (const std::string_view word : split_words(value)) {
        const auto found = std::ranges::find(names, word);
        if (found != names.end()) {
            places.push_back(static_cast<std::size_t>(found - names.begin()));
        }
    }
}

}  // namespace

std::string Definition::value(std::string_view section, std::string_view key) const {
    std::string out;
    for (const EffectiveKey& one : keys) {
        if (one.section == section && one.key == key) {
            append(out, out.empty() ? "" : " ", one.value);
        }
    }
    return out;
}

Result<Definition> read_definition(const UnitFiles& files, std::string_view name, std::string_view passed_over) {
    auto texts = files.read(name);
    if (!texts) {
        return std::unexpected(texts.error());
    }
    std::erase_if(*texts, [&](const UnitText& text) { return text.path == passed_over; });
    if (texts->empty()) {
        return std::unexpected(Error{concat("there is no unit file ", name, ".unit"), ENOENT});
    }
    auto keys = effective_keys(name, *texts);
    if (!keys) {
        return std::unexpected(keys.error());
    }
    Definition definition;
    definition.keys = std::move(*keys);
    for (UnitText& text : *texts) {
        definition.files.push_back(std::move(text.path));
    }
    return definition;
}

Result<Definition> read_definition(std::string_view name, std::string_view passed_over) {
    const auto files = UnitFiles::find(kUnitDirectories);
    return files ? read_definition(*files, name, passed_over) : std::unexpected(files.error());
}

Needs read_needs(const std::vector<std::string_view>& names, std::span<const std::string_view> directories) {
    const auto files = UnitFiles::find(directories);
    Needs needs;
    needs.needed.resize(names.size());
    needs.ordered.resize(names.size());
    for (std::size_t at = 0; files && at < names.size(); ++at) {
        if (const auto unit = read_definition(*files, names[at])) {
            add_places(*unit, "requires", names, needs.needed[at]);
            add_places(*unit, "wants", names, needs.needed[at]);
            needs.ordered[at] = needs.needed[at];
            add_places(*unit, "after", names, needs.ordered[at]);
        }
    }
    return needs;
}

}  // namespace thole
