// start, stop, restart, reload, enable and disable.
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/text.hpp"
#include "control/client.hpp"
#include "control/commands.hpp"
#include "control/definition.hpp"
#include "control/json.hpp"
#include "control/unit_changes.hpp"
#include "os/file.hpp"

namespace thole {

namespace {

/// The result of one unit for --json, or nothing for a person: there is no news in what was asked for.
void add_result(Json& json, std::string_view name, int status, const UnitStatus& after) {
    json.begin_object();
    json.text("name", name);
    json.boolean("ok", status == kDone);
    json.text("state", after.state);
    json.text("reason", after.reason);
    json.end_object();
}

std::string drop_in_directory(std::string_view name) { return concat(kUnitDirectories[1], "/", name, ".unit.d"); }

/// Takes the drop-in away where the unit is so by itself, else writes it. Returns what was done.
Result<std::string> set_enabled(std::string_view name, bool wanted) {
    const std::string path = concat(drop_in_directory(name), "/enabled.conf");
    const auto unit = read_definition(name, path);
    if (!unit) {
        return std::unexpected(unit.error());
    }
    const std::string own = unit->value("unit", "enabled");
    const bool is_enabled = own.empty() || parse_boolean(own).value_or(true);
    if (is_enabled == wanted && name.find('@') == std::string_view::npos) {
        if (!path_exists(path)) {
            return std::string("its unit says so");
        }
        if (::unlink(path.c_str()) != 0) {
            return system_error("remove", path);
        }
        ::rmdir(drop_in_directory(name).c_str());  // stays where there is more in it
        return concat("removed ", path);
    }
    auto written = make_directories(drop_in_directory(name));
    if (written) {
        written = replace_file(path, concat("[unit]\nenabled = ", wanted ? "yes\n" : "no\n"), 0644);
    }
    return written ? Result<std::string>(concat("wrote ", path)) : std::unexpected(written.error());
}

}  // namespace

int unit_command(const Call& call) {
    const bool wait = call.verb != "reload" && !call.has("--no-wait");  // no service says when it has reloaded
    Json json;
    json.begin_array();
    int worst = kDone;
    for (const std::string_view name : call.names) {
        UnitStatus after;
        const int status = change_and_say(call.verb, name, wait, after);
        add_result(json, name, status, after);
        worst = std::max(worst, status);
    }
    json.end_array();
    if (call.has("--json")) {
        print(json.finish());
    }
    return worst;
}

int reload_command(const Call& call) {
    if (!call.names.empty()) {
        return unit_command(call);
    }
    const auto answer = ask_pid1("reload");
    if (!answer) {
        return complain(answer.error());
    }
    if (!call.has("--json")) {
        print(answer->empty() ? "no unit has changed\n" : *answer);
        return kDone;
    }
    Json json;
    json.begin_array();
    for (const std::string_view line : split(*answer, '\n')) {
        const auto words = split_words(line);
        if (words.size() == 2) {
            json.begin_object();
            json.text("name", words[1]);
            json.text("change", words[0]);
            json.end_object();
        }
    }
    json.end_array();
    print(json.finish());
    return kDone;
}

int enable_command(const Call& call) {
    const bool wanted = call.verb == "enable";
    Json json;
    json.begin_array();
    std::string text;
    for (const std::string_view name : call.names) {
        const auto done = set_enabled(name, wanted);
        if (!done) {
            const int status = complain(done.error());
            return done.error().code == ENOENT ? static_cast<int>(kNoSuchUnit) : status;
        }
        append(text, name, wanted ? " is started at boot: " : " is not started at boot: ", *done, "\n");
        json.begin_object();
        json.text("name", name);
        json.boolean("enabled", wanted);
        json.text("done", *done);
        json.end_object();
    }
    json.end_array();
    print(call.has("--json") ? json.finish() : text);
    if (const auto answer = ask_pid1("reload"); !answer) {
        return complain(with_context("PID 1 has not read it, the next boot will", answer.error()).error());
    }
    int worst = kDone;
    for (const std::string_view name : call.names) {
        UnitStatus after;
        const int status = call.has("--now") ? change_and_say(wanted ? "start" : "stop", name, true, after) : kDone;
        worst = std::max(worst, status);
    }
    return worst;
}

}  // namespace thole
