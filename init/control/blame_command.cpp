// Where the time of this boot went: blame as a list, plot as a chart.
#include <algorithm>

#include "base/text.hpp"
#include "control/client.hpp"
#include "control/commands.hpp"
#include "control/definition.hpp"
#include "control/json.hpp"
#include "control/plot.hpp"
#include "control/table.hpp"
#include "control/tree.hpp"

namespace thole {

namespace {

/// PID 1 knows the last start only: a service that was started again later says nothing about the boot.
std::int64_t ready_at(const UnitStatus& unit) {
    return unit.started < 0 || unit.took < 0 || unit.restarts > 0 ? -1 : unit.started + unit.took;
}

std::vector<std::size_t> chain_of(const std::vector<UnitStatus>& units) {
    std::vector<std::string_view> names;
    std::vector<std::int64_t> ready;
    for (const UnitStatus& unit : units) {
        names.push_back(unit.name);
        ready.push_back(ready_at(unit));
    }
    return critical_chain(read_needs(names).ordered, ready);
}

std::vector<std::size_t> by_time(const std::vector<UnitStatus>& units) {
    std::vector<std::int64_t> times;
    for (const UnitStatus& unit : units) {
        times.push_back(unit.took);
    }
    return descending(times);
}

std::string to_json(const std::vector<UnitStatus>& units, const std::vector<std::size_t>& chain) {
    Json json;
    json.begin_object();
    json.begin_array("units");
    for (const std::size_t place : by_time(units)) {
        const UnitStatus& unit = units[place];
        if (unit.took >= 0) {
            json.begin_object();
            json.text("name", unit.name);
            json.number("started_ms", unit.started);
            json.number("took_ms", unit.took);
            json.number("restarts", unit.restarts);
            json.end_object();
        }
    }
    json.end_array();
    json.begin_array("critical_chain");
    for (const std::size_t place : chain) {
        json.text({}, units[place].name);
    }
    json.end_array();
    json.end_object();
    return json.finish();
}

std::string describe(const std::vector<UnitStatus>& units, const std::vector<std::size_t>& chain) {
    Table table(">TOOK >STARTED >READY UNIT");
    for (const std::size_t place : by_time(units)) {
        const UnitStatus& unit = units[place];
        if (unit.took >= 0) {
            append(table.cell(), unit.took, " ms");
            table.add_number(unit.started);
            table.add_number(unit.started + unit.took);
            append(table.cell(), unit.name, unit.restarts > 0 ? "   (its last start, not the boot's)" : "");
        }
    }
    std::string text = table.finish();
    text += chain.empty() ? "" : "\nThe chain that decided it (milliseconds after the kernel's start):\n";
    Table steps(">- - >-");
    for (const std::size_t place : chain) {
        const UnitStatus& unit = units[place];
        append(steps.cell(), "  ", unit.started);
        steps.add(unit.name);
        append(steps.cell(), "+", unit.took, " ms");
    }
    return text + steps.finish(false);
}

}  // namespace

int blame_command(const Call& call) {
    const auto units = ask_status();
    if (!units) {
        return complain(units.error());
    }
    const auto chain = chain_of(*units);
    print(call.has("--json") ? to_json(*units, chain) : describe(*units, chain));
    return kDone;
}

int plot_command(const Call& /*call*/) {
    const auto units = ask_status();
    if (!units) {
        return complain(units.error());
    }
    print(plot_svg(*units, chain_of(*units)));
    return kDone;
}

}  // namespace thole
