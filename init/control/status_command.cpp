#include <algorithm>

#include "base/text.hpp"
#include "control/client.hpp"
#include "control/commands.hpp"
#include "control/definition.hpp"
#include "control/figures.hpp"
#include "control/json.hpp"
#include "control/states.hpp"
#include "control/table.hpp"
#include "control/tree.hpp"
#include "log/tail.hpp"
#include "os/clock.hpp"

namespace thole {

namespace {

constexpr std::size_t kTailLines = 5;

std::vector<std::string> tail_of(const UnitStatus& unit) {
    return needs_attention(unit.state) ? last_log_lines(unit.name, kTailLines) : std::vector<std::string>();
}

void add_json(Json& json, const UnitStatus& unit, std::string_view parent) {
    json.begin_object();
    put_unit(json, unit, now().milliseconds);
    json.known_number("memory_bytes", memory_of(unit.name));
    json.text("below", parent);
    json.begin_array("log");
    for (const std::string& line : tail_of(unit)) {
        json.text({}, line);
    }
    json.end_array();
    json.end_object();
}

void add_row(Table& table, const UnitStatus& unit, std::string_view lines, std::int64_t time, bool coloured) {
    const bool runs = unit.pid > 0;
    append(table.cell(), lines, unit.name);
    table.add(unit.state, coloured ? colour_of(unit.state) : std::string_view());
    table.add(unit.since < 0 ? "-" : span_text(time - unit.since));
    table.add_number(runs ? unit.pid : -1);
    table.add(bytes_text(runs ? memory_of(unit.name) : -1));
    table.add_number(unit.restarts);
    table.add(detail_of(unit, time));
}

/// What a person wants to know first of a unit that is not as it should be.
void add_trouble(std::string& text, const UnitStatus& unit) {
    append(text, "\n", unit.name, " ", unit.state, unit.reason.empty() ? "" : ": ", unit.reason, "\n");
    if (!unit.exit.empty()) {
        append(text, "  it ended with ", unit.exit, unit.oom ? " (out of memory)\n" : "\n");
    }
    if (!unit.failed_by.empty()) {
        append(text, "  held by ", unit.failed_by, "\n");
    }
    for (const std::string& line : tail_of(unit)) {
        append(text, "  | ", one_field(line), "\n");
    }
}

void add_summary(std::string& text, const std::vector<UnitStatus>& units) {
    std::size_t failed = 0;
    std::size_t moving = 0;
    for (const UnitStatus& unit : units) {
        failed += unit.state == "failed" ? 1 : 0;
        moving += is_on_its_way(unit.state) ? 1 : 0;
    }
    append(text, "\n", units.size(), units.size() == 1 ? " unit" : " units", ", ", failed, " failed, ", moving,
           " on the way\n");
}

/// All units as a tree; those that were named as they were named.
std::vector<TreeRow> rows_of(const std::vector<UnitStatus>& units, bool tree) {
    std::vector<std::string_view> names;
    for (const UnitStatus& unit : units) {
        names.push_back(unit.name);
    }
    return tree_of(tree ? read_needs(names).needed : std::vector<std::vector<std::size_t>>(units.size()));
}

}  // namespace

int status_command(const Call& call) {
    auto units = ask_status();
    if (!units) {
        return complain(units.error());
    }
    if (const int missing = choose_units(*units, call.names); missing != kDone) {
        return missing;
    }
    const auto rows = rows_of(*units, call.names.empty());
    std::string text;
    if (call.has("--json")) {
        Json json;
        json.begin_array();
        for (const TreeRow& row : rows) {
            add_json(json, (*units)[row.unit], row.parent == kNoUnit ? std::string_view() : (*units)[row.parent].name);
        }
        json.end_array();
        text = json.finish();
    } else {
        const bool coloured = colours_wanted();
        const std::int64_t time = now().milliseconds;
        Table table("NAME STATE >FOR >PID >MEMORY >RESTARTS DETAIL");
        for (const TreeRow& row : rows) {
            add_row(table, (*units)[row.unit], row.lines, time, coloured);
        }
        text = table.finish();
        for (const UnitStatus& unit : *units) {
            if (needs_attention(unit.state)) {
                add_trouble(text, unit);
            }
        }
        if (call.names.empty()) {
            add_summary(text, *units);
        }
    }
    print(text);
    const bool named = !call.names.empty();
    const bool good = std::ranges::all_of(*units, [named](const UnitStatus& unit) {
        return named ? is_as_it_should_be(unit.state) : unit.state != "failed";
    });
    return good ? kDone : kNotRunning;
}

}  // namespace thole
