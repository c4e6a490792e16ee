#include "control/systemctl.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "control/client.hpp"
#include "control/commands.hpp"
#include "control/definition.hpp"
#include "control/figures.hpp"
#include "control/power.hpp"
#include "control/states.hpp"
#include "control/systemctl_words.hpp"
#include "control/table.hpp"
#include "control/unit_changes.hpp"
#include "log/tail.hpp"
#include "os/clock.hpp"
#include "os/file.hpp"

namespace thole {

namespace {

using Units = std::vector<UnitStatus>;

// Exit statuses of systemctl(1), which has them from LSB.
constexpr int kNotActive = 3;
constexpr int kUnknownUnit = 4;
constexpr int kNotLoaded = 5;
constexpr std::size_t kTailLines = 10;

int say_unknown(std::string_view what, std::string_view unit) {
    (void)complain_usage(concat("Failed to ", what, " ", unit, ".service: Unit ", unit, ".service not found.\n"));
    return kNotLoaded;
}

ServiceFacts facts_of(const UnitStatus* unit, std::string_view name) {
    ServiceFacts facts;
    facts.known = unit != nullptr;
    if (const auto definition = read_definition(name)) {
        facts.known = true;
        facts.fragment = definition->files[0];
    }
    if (unit != nullptr && unit->pid > 0) {
        const CgroupFigures figures = read_figures(cgroup_of(name));
        facts.memory = figures.memory;
        facts.tasks = figures.processes;
    }
    return facts;
}

/// The word that is-enabled has for a unit, or is-active and is-failed; nullptr is a unit that is not known.
std::string_view word_of(const UnitStatus* unit, bool asks_enabled) {
    if (asks_enabled) {
        return unit == nullptr ? "not-found" : unit->enabled ? "enabled" : "disabled";
    }
    return active_words(unit == nullptr ? "" : unit->state).active;
}

/// is-active, is-failed, is-enabled: a word a unit, and the best of them decides.
int is_what(const SystemctlCall& call, const Units& units) {
    const std::string_view wanted = call.verb.substr(3);
    std::string text;
    bool any = false;
    bool known = false;
    for (const std::string_view name : call.units) {
        const UnitStatus* const unit = find_unit(units, name);
        const std::string_view word = word_of(unit, wanted == "enabled");
        known = known || unit != nullptr;
        any = any || word == wanted;
        append(text, word, "\n");
    }
    print(call.quiet ? "" : text);
    if (any) {
        return 0;
    }
    if (call.verb == "is-failed") {
        return 1;
    }
    return !known ? kUnknownUnit : call.verb == "is-active" ? kNotActive : 1;
}

std::string status_text(const UnitStatus& unit) {
    const ActiveWords words = active_words(unit.state);
    const ServiceFacts facts = facts_of(&unit, unit.name);
    std::string text;
    append(text, "● ", unit.name, ".service - ", unit.description, "\n     Loaded: loaded (", facts.fragment, "; ",
           unit.enabled ? "enabled" : "disabled", ")\n     Active: ", words.active, " (", words.sub, ")");
    if (unit.since >= 0) {
        append(text, " since ", span_text(now().milliseconds - unit.since), " ago");
    }
    if (!unit.reason.empty()) {
        append(text, "\n     Reason: ", unit.reason);
    }
    if (unit.pid > 0) {
        append(text, "\n   Main PID: ", unit.pid);
    }
    if (!unit.status.empty()) {
        append(text, "\n     Status: \"", unit.status, "\"");
    }
    if (facts.tasks >= 0) {
        append(text, "\n      Tasks: ", facts.tasks);
    }
    if (facts.memory >= 0) {
        append(text, "\n     Memory: ", bytes_text(facts.memory));
    }
    text += "\n\n";
    for (const std::string& line : last_log_lines(unit.name, kTailLines)) {
        append(text, one_field(line), "\n");
    }
    return text;
}

int status_of_units(const SystemctlCall& call, const Units& units) {
    std::string text;
    int status = 0;
    for (const std::string_view name : call.units) {
        const UnitStatus* const unit = find_unit(units, name);
        if (unit == nullptr) {
            (void)complain_usage(concat("Unit ", name, ".service could not be found.\n"));
            status = kUnknownUnit;
            continue;
        }
        append(text, text.empty() ? "" : "\n", status_text(*unit));
        status = active_words(unit->state).active == "active" ? status : std::max(status, kNotActive);
    }
    print(text);
    return status;
}

bool is_asked_for(const SystemctlCall& call, const UnitStatus& unit) {
    const ActiveWords words = active_words(unit.state);
    const auto named = [&](std::string_view state) { return state == words.active || state == words.sub; };
    if (!call.units.empty() && std::ranges::find(call.units, unit.name) == call.units.end()) {
        return false;
    }
    return call.services && (call.states.empty() ? call.all || !call.units.empty() || words.active != "inactive"
                                                 : std::ranges::any_of(call.states, named));
}

int print_list(const Table& table, bool legend, std::size_t count, std::string_view what) {
    std::string text = table.finish(legend);
    if (legend) {
        append(text, "\n", count, what, " listed.\n");
    }
    print(text);
    return 0;
}

int list_units(const SystemctlCall& call, const Units& units) {
    Table table("UNIT LOAD ACTIVE SUB DESCRIPTION");
    std::size_t count = 0;
    for (const UnitStatus& unit : units) {
        if (is_asked_for(call, unit)) {
            const ActiveWords words = active_words(unit.state);
            append(table.cell(), unit.name, ".service");
            table.add("loaded");
            table.add(words.active);
            table.add(words.sub);
            table.add(unit.description);
            ++count;
        }
    }
    return print_list(table, call.legend, count, " loaded units");
}

int list_unit_files(const SystemctlCall& call, const Units& units) {
    Table table("UNIT-FILE STATE PRESET");
    std::size_t count = 0;
    const auto files = UnitFiles::find(kUnitDirectories);
    for (const std::string_view name : files ? files->names() : std::vector<std::string_view>()) {
        const UnitStatus* const unit = find_unit(units, name);
        const std::string_view state = name.ends_with('@')                ? "static"
                                       : unit == nullptr || unit->enabled ? "enabled"
                                                                          : "disabled";
        const bool named = call.states.empty() || std::ranges::find(call.states, state) != call.states.end();
        if (call.services && named && (call.units.empty() || std::ranges::find(call.units, name) != call.units.end())) {
            append(table.cell(), name, ".service");
            table.add(state);
            table.add("-");
            ++count;
        }
    }
    return print_list(table, call.legend, count, " unit files");
}

int show_units(const SystemctlCall& call, const Units& units) {
    std::string text;
    for (const std::string_view name : call.units) {
        const UnitStatus* const unit = find_unit(units, name);
        UnitStatus none;
        none.name = name;
        text += text.empty() ? "" : "\n";
        for (const Property& property : properties_of(unit == nullptr ? none : *unit, facts_of(unit, name))) {
            if (call.properties.empty() || std::ranges::find(call.properties, property.name) != call.properties.end()) {
                append(text, call.value ? std::string_view() : property.name, call.value ? "" : "=", property.value,
                       "\n");
            }
        }
    }
    print(text);
    return 0;
}

int cat_units(const SystemctlCall& call, const Units& /*units*/) {
    std::string text;
    for (const std::string_view name : call.units) {
        const auto definition = read_definition(name);
        if (!definition) {
            (void)complain_usage(concat("No files found for ", name, ".service.\n"));
            return 1;
        }
        for (const std::string& file : definition->files) {
            append(text, text.empty() ? "" : "\n", "# ", file, "\n", read_file(file).value_or(std::string()));
        }
    }
    print(text);
    return 0;
}

/// start, stop, restart, reload and their kin.
int change_units(const SystemctlCall& call, const Units& units) {
    const std::string_view verb = call.verb.ends_with("restart") ? "restart" : call.verb;
    const bool only_running = call.verb == "try-restart" || call.verb == "condrestart";
    int worst = 0;
    for (const std::string_view name : call.units) {
        const UnitStatus* const unit = find_unit(units, name);
        if (unit == nullptr && !read_definition(name)) {
            worst = std::max(worst, say_unknown(call.verb, name));
            continue;
        }
        const bool stands =
            unit == nullptr || active_words(unit->state).active == "inactive" || unit->state == "failed";
        if (only_running && stands) {
            continue;
        }
        UnitStatus after;
        worst = std::max(worst, change_and_say(verb, name, call.wait && verb != "reload", after));
    }
    return worst;
}

int enable_units(const SystemctlCall& call, const Units& units) {
    for (const std::string_view name : call.units) {
        if (find_unit(units, name) == nullptr && !read_definition(name)) {
            (void)say_unknown(call.verb, name);
            return 1;
        }
    }
    Call same{call.verb, {}, {}, call.units};
    if (call.now) {
        same.options.push_back({"--now", {}});
    }
    return enable_command(same);
}

int daemon_reload(const SystemctlCall& /*call*/, const Units& /*units*/) {
    const auto answer = ask_pid1("reload");
    return answer ? 0 : complain(answer.error());
}

int is_system_running(const SystemctlCall& call, const Units& units) {
    const auto info = ask_pid1("info");
    const auto word = system_word(units, info && !info_value(*info, "going-down").empty());
    print(call.quiet ? std::string() : concat(word, "\n"));
    return word == "running" ? 0 : 1;
}

int down(const SystemctlCall& call, const Units& /*units*/) {
    return switch_power(read_power_call(call.verb, {})->action, call.force);
}

/// There is nothing to forget: the next start does.
int nothing(const SystemctlCall& /*call*/, const Units& /*units*/) { return 0; }

struct Verb {
    std::string_view name;
    int (*run)(const SystemctlCall& call, const Units& units);
    bool needs_units = false;  // names on the command line
    bool needs_pid1 = true;    // nothing can be said without the status of all units
};

constexpr Verb kVerbs[] = {
    {"is-active", is_what, true},
    {"is-failed", is_what, true},
    {"is-enabled", is_what, true},
    {"status", status_of_units},
    {"start", change_units, true},
    {"stop", change_units, true},
    {"restart", change_units, true},
    {"try-restart", change_units, true},
    {"condrestart", change_units, true},
    {"reload-or-restart", change_units, true},
    {"try-reload-or-restart", change_units, true},
    {"reload", change_units, true},
    {"enable", enable_units, true},
    {"disable", enable_units, true},
    {"list-units", list_units},
    {"list-unit-files", list_unit_files},
    {"daemon-reload", daemon_reload, false, false},
    {"daemon-reexec", daemon_reload, false, false},
    {"reset-failed", nothing, false, false},
    {"show", show_units},
    {"cat", cat_units, true, false},
    {"is-system-running", is_system_running},
    {"poweroff", down, false, false},
    {"reboot", down, false, false},
    {"halt", down, false, false},
};

const Verb* find_verb(std::string_view name) {
    const auto* const row = std::ranges::find(kVerbs, name, &Verb::name);
    return row == std::end(kVerbs) ? nullptr : row;
}

}  // namespace

Result<SystemctlCall> read_systemctl_call(std::span<const std::string_view> arguments) {
    auto call = read_systemctl_words(arguments);
    if (!call) {
        return call;
    }
    const Verb* const verb = find_verb(call->verb);
    if (verb == nullptr) {
        return failure(
            concat("Unknown command verb '", call->verb, "': this node has no systemd; `thole help` says what it has"));
    }
    if (verb->needs_units && call->units.empty()) {
        return failure("Too few arguments.");
    }
    return call;
}

int systemctl_main(std::span<const std::string_view> arguments) {
    const auto call = read_systemctl_call(arguments);
    if (!call) {
        (void)complain_usage(concat("systemctl: ", call.error().message, "\n"));
        return 1;
    }
    const Verb& verb = *find_verb(call->verb);
    const auto units = verb.needs_pid1 ? ask_status() : Result<Units>(Units());
    if (!units) {
        return complain(units.error());
    }
    return call->verb == "status" && call->units.empty() ? run_command("status", {}) : verb.run(*call, *units);
}

}  // namespace thole
