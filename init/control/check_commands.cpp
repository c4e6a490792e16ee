// Commands that need no running PID 1: they check and show what is written in files.
#include "base/text.hpp"
#include "config/node_config.hpp"
#include "config/schema.hpp"
#include "config/sources.hpp"
#include "control/commands.hpp"
#include "daemon/units.hpp"
#include "os/file.hpp"

namespace thole {

int lint_command(Arguments arguments) {
    if (arguments.size() != 1) {
        return complain_usage("usage: thole lint DIRECTORY\n");
    }
    const NodeConfig defaults;
    std::vector<Error> errors;
    auto units = load_units(arguments.first(1), unit_expander(defaults), {}, errors);
    for (const Error& error : errors) {
        complain(error);
    }
    const auto graph = units ? Graph::build(std::move(*units)) : Result<Graph>(std::unexpected(units.error()));
    if (!graph) {
        return units ? complain(graph.error()) : 1;
    }
    print(concat(static_cast<std::int64_t>(graph->size()), " units are right\n"));
    return 0;
}

int config_command(Arguments arguments) {
    if (arguments.size() == 1 && arguments[0] == "reference") {
        print(config_reference(node_keys()));
        return 0;
    }
    if (arguments.size() == 2 && arguments[0] == "check") {
        NodeConfig config;
        const std::string path(arguments[1]);
        const auto text = read_file(path);
        auto checked = text ? add_ini(config, path, *text, false) : Status(std::unexpected(text.error()));
        if (checked) {
            checked = config.finish();
        }
        if (!checked) {
            return complain(checked.error());
        }
        print(concat(path, " is right\n"));
        return 0;
    }
    if (arguments.size() == 1 && arguments[0] == "show") {
        const auto config = load_node_config("", false, {});
        if (!config) {
            return complain(config.error());
        }
        for (const Key& key : config->keys()) {
            const std::string name = concat(key.section, ".", key.name);
            print(
                concat(name, " = ", key.secret ? "(secret)" : config->text(name), "   # ", config->origin(name), "\n"));
        }
        return 0;
    }
    return complain_usage("usage: thole config show | check FILE | reference\n");
}

int reference_command(Arguments arguments) {
    if (!arguments.empty()) {
        return complain_usage("usage: thole reference\n");
    }
    print(unit_reference());
    return 0;
}

}  // namespace thole
