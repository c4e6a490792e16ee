#include "base/text.hpp"
#include "control/client.hpp"
#include "control/commands.hpp"
#include "control/definition.hpp"
#include "control/figures.hpp"
#include "control/json.hpp"
#include "control/states.hpp"
#include "control/table.hpp"
#include "os/clock.hpp"

namespace thole {

namespace {

struct Figure {
    std::string_view name;
    std::int64_t CgroupFigures::* value;
};

constexpr Figure kFigures[] = {
    {"memory_bytes", &CgroupFigures::memory},
    {"memory_peak_bytes", &CgroupFigures::memory_peak},
    {"processes", &CgroupFigures::processes},
    {"cpu_us", &CgroupFigures::cpu},
    {"cpu_user_us", &CgroupFigures::cpu_user},
    {"cpu_system_us", &CgroupFigures::cpu_system},
    {"cpu_throttled_us", &CgroupFigures::throttled},
    {"oom_kills", &CgroupFigures::oom_kills},
    {"read_bytes", &CgroupFigures::read},
    {"written_bytes", &CgroupFigures::written},
};

std::string to_json(const UnitStatus& unit, const Definition& definition, const CgroupFigures& figures) {
    Json json;
    json.begin_object();
    put_unit(json, unit, now().milliseconds);
    json.begin_array("files");
    for (const std::string& file : definition.files) {
        json.text({}, file);
    }
    json.end_array();
    json.begin_array("definition");
    for (const EffectiveKey& key : definition.keys) {
        json.begin_object();
        json.text("section", key.section);
        json.text("key", key.key);
        json.text("value", key.value);
        json.text("origin", key.origin);
        json.end_object();
    }
    json.end_array();
    json.begin_object("cgroup");
    for (const Figure& figure : kFigures) {
        json.known_number(figure.name, figures.*figure.value);
    }
    json.end_object();
    json.end_object();
    return json.finish();
}

class Sheet {
   public:
    /// A line, where there is a value.
    void add(std::string_view name, std::string_view value, std::string_view behind = {}) {
        if (!value.empty()) {
            table_.add(name);
            append(table_.cell(), value, behind);
        }
    }
    void add_number(std::string_view name, std::int64_t value, std::string_view behind = {}) {
        if (value >= 0) {
            add(name, to_text(value), behind);
        }
    }
    [[nodiscard]] std::string finish() const { return table_.finish(false); }

   private:
    Table table_{"- -"};
};

void add_figures(Sheet& sheet, const CgroupFigures& figures) {
    for (const Figure& figure : kFigures) {
        const std::int64_t value = figures.*figure.value;
        const auto unit = figure.name.rfind('_');
        const std::string_view bare = figure.name.substr(0, unit);
        if (figure.name.ends_with("_bytes")) {
            sheet.add(bare, value < 0 ? std::string() : bytes_text(value));
        } else if (figure.name.ends_with("_us")) {
            sheet.add_number(bare, value < 0 ? -1 : value / 1000, " ms");
        } else {
            sheet.add_number(figure.name, value);
        }
    }
}

std::string describe(const UnitStatus& unit, const Definition& definition, const CgroupFigures& figures) {
    const std::int64_t time = now().milliseconds;
    Sheet sheet;
    sheet.add("state", unit.state);
    sheet.add("for", unit.since < 0 ? std::string() : span_text(time - unit.since));
    sheet.add("why", unit.reason);
    sheet.add("says", unit.status);
    sheet.add("held by", unit.failed_by);
    sheet.add_number("pid", unit.pid);
    sheet.add_number("took", unit.took, " ms from start to ready");
    sheet.add_number("restarts", unit.restarts);
    sheet.add("last end", unit.exit, unit.oom ? ", out of memory" : "");
    sheet.add("next start in", unit.next < 0 ? std::string() : span_text(unit.next - time));
    sheet.add("at boot", unit.enabled ? "started" : "not started (disabled)");
    add_figures(sheet, figures);
    std::string text = concat(unit.name, "  ", unit.description, "\n\n", sheet.finish());
    std::string_view section;
    for (const EffectiveKey& key : definition.keys) {
        if (key.section != section) {
            section = key.section;
            append(text, "\n[", section, "]\n");
        }
        append(text, key.key, " = ", key.value, "   # ", key.origin, "\n");
    }
    if (!definition.keys.empty()) {
        text += "\nKeys that are not shown have their defaults: `thole reference`.\n";
    }
    return text;
}

}  // namespace

int show_command(const Call& call) {
    const auto units = ask_status();
    if (!units) {
        return complain(units.error());
    }
    const UnitStatus* const unit = find_unit(*units, call.names[0]);
    if (unit == nullptr) {
        return complain_no_unit(call.names[0], *units);
    }
    // A unit may outlive its file until the next reload.
    const auto definition = read_definition(unit->name).value_or(Definition{});
    const auto figures = read_figures(cgroup_of(unit->name));
    print(call.has("--json") ? to_json(*unit, definition, figures) : describe(*unit, definition, figures));
    return kDone;
}

}  // namespace thole
