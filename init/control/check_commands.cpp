// Commands that need no running PID 1: they check and show what is written in files.
#include "addresses.hpp"
#include "base/text.hpp"
#include "boot/running_config.hpp"
#include "config/node_config.hpp"
#include "config/schema.hpp"
#include "config/sources.hpp"
#include "control/client.hpp"
#include "control/commands.hpp"
#include "control/definition.hpp"
#include "control/json.hpp"
#include "daemon/units.hpp"
#include "os/file.hpp"

namespace thole {

namespace {

int show_config(bool as_json) {
    const auto config = running_config();
    if (!config) {
        return complain(config.error());
    }
    Json json;
    json.begin_array();
    std::string text;
    for (const Key& key : config->keys()) {
        const std::string name = concat(key.section, ".", key.name);
        const bool hidden = key.secret && !config->text(name).empty();
        const std::string_view value = hidden ? "(secret)" : config->text(name);
        json.begin_object();
        json.text("key", name);
        json.text("value", value);
        json.text("origin", config->origin(name));
        json.end_object();
        append(text, name, " = ", value, "   # ", config->origin(name), "\n");
    }
    json.end_array();
    print(as_json ? json.finish() : text);
    return kDone;
}

int check_config(const std::string& path, bool as_json) {
    NodeConfig config;
    auto checked = add_ini_file(config, path, path);
    if (checked) {
        checked = config.finish();
    }
    Json json;
    json.begin_object();
    json.text("file", path);
    json.boolean("ok", checked.has_value());
    json.text("error", checked ? std::string() : checked.error().message);
    json.end_object();
    if (as_json) {
        print(json.finish());
    } else if (checked) {
        print(concat(path, " is right\n"));
    }
    return checked ? kDone : as_json ? kFailed : complain(checked.error());
}

/// The IPv6 range that comes from a node.ini's secret.
int show_ula(const std::string& path) {
    NodeConfig config;
    if (const auto read = add_ini_file(config, path, path); !read) {
        return complain(read.error());
    }
    const auto secret = mesh::ClusterSecret::parse(config.text("mesh.secret"));
    if (!secret) {
        return complain(Error{concat(path, " has no mesh.secret"), 0});
    }
    print(concat(network_text(mesh::ula_range(*secret)), "\n"));
    return kDone;
}

}  // namespace

int lint_command(const Call& call) {
    const std::span<const std::string_view> named = call.names;
    const NodeConfig defaults;
    std::vector<Error> errors;
    auto units = load_units(named.empty() ? std::span<const std::string_view>(kUnitDirectories) : named,
                            unit_expander(defaults), {}, errors);
    std::size_t count = 0;
    if (units) {
        count = units->size();
        if (const auto graph = Graph::build(std::move(*units)); !graph) {
            errors.push_back(graph.error());
        }
    }
    Json json;
    json.begin_object();
    json.known_number("units", errors.empty() ? static_cast<std::int64_t>(count) : -1);
    json.begin_array("errors");
    for (const Error& error : errors) {
        json.text({}, error.message);
        if (!call.has("--json")) {
            complain(error);
        }
    }
    json.end_array();
    json.end_object();
    if (call.has("--json")) {
        print(json.finish());
    } else if (errors.empty()) {
        print(concat(count, " units are right\n"));
    }
    return errors.empty() ? kDone : kFailed;
}

int config_command(const Call& call) {
    const bool as_json = call.has("--json");
    const std::string_view action = call.names[0];
    if (action == "check" && call.names.size() == 2) {
        return check_config(std::string(call.names[1]), as_json);
    }
    if (action == "ula" && call.names.size() == 2) {
        return show_ula(std::string(call.names[1]));
    }
    if (call.names.size() == 1 && action == "show") {
        return show_config(as_json);
    }
    if (call.names.size() == 1 && action == "reference") {
        print(config_reference(node_keys()));
        return kDone;
    }
    return complain_usage("usage: thole config [--json] show | check FILE | ula FILE | reference\n");
}

int reference_command(const Call& call) {
    const std::string_view page = call.names.empty() ? "units" : call.names[0];
    if (page != "units" && page != "commands") {
        return complain_usage("usage: thole reference [units|commands]\n");
    }
    print(page == "units" ? unit_reference() : commands_reference());
    return kDone;
}

int completion_command(const Call& call) {
    if (!call.names.empty() && call.names[0] != "bash") {
        return complain_usage("thole: there is a completion for bash only\n");
    }
    print(completion_script());
    return kDone;
}

int version_command(const Call& call) {
    const auto info = ask_pid1("info");
    const std::string_view running = info ? info_value(*info, "version") : std::string_view();
    if (call.has("--json")) {
        Json json;
        json.begin_object();
        json.text("version", program_version());
        json.text("pid1_version", running);
        json.end_object();
        print(json.finish());
    } else {
        print(concat("thole ", program_version(), running.empty() ? "" : ", PID 1 ", running, "\n"));
    }
    return kDone;
}

}  // namespace thole
