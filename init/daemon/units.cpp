#include "daemon/units.hpp"

#include "os/file.hpp"

namespace thole {

Result<Graph> load_units(const std::string& directory, const Expander& expand, std::vector<Error>& errors) {
    const auto names = list_directory(directory);
    if (!names) {
        errors.push_back(names.error());
        return std::unexpected(names.error());
    }
    std::vector<Unit> units;
    for (const std::string& name : *names) {
        if (!name.ends_with(".unit")) {
            continue;
        }
        const std::string path = concat(directory, "/", name);
        const auto text = read_file(path);
        auto unit = text ? parse_unit(path, *text, expand) : std::unexpected(text.error());
        if (unit) {
            units.push_back(std::move(*unit));
        } else {
            errors.push_back(unit.error());
        }
    }
    if (!errors.empty()) {
        return std::unexpected(errors.front());
    }
    auto graph = Graph::build(std::move(units));
    if (!graph) {
        errors.push_back(graph.error());
    }
    return graph;
}

}  // namespace thole
