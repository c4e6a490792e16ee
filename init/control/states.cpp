#include "control/states.hpp"

#include "base/text.hpp"
#include "control/table.hpp"

namespace thole {

namespace {

bool is_among(std::string_view state, std::string_view states) {
    for (const std::string_view one : split_words(states)) {
        if (one == state) {
            return true;
        }
    }
    return false;
}

}  // namespace

bool is_as_it_should_be(std::string_view state) { return is_among(state, "ready done skipped idle"); }

bool is_on_its_way(std::string_view state) {
    return is_among(state, "waiting preparing starting stopping clearing finishing delayed");
}

bool needs_attention(std::string_view state) { return is_among(state, "failed delayed"); }

std::string_view colour_of(std::string_view state) {
    if (state == "failed") {
        return "31";
    }
    return is_on_its_way(state) ? "33" : is_as_it_should_be(state) ? "32" : "";
}

std::string detail_of(const UnitStatus& unit, std::int64_t time) {
    const std::string& why = !unit.reason.empty() ? unit.reason : !unit.status.empty() ? unit.status : unit.description;
    if (unit.next < 0) {
        return unit.enabled ? why : concat(why, " (disabled)");
    }
    return concat(why, " (again in ", span_text(unit.next - time), ")");
}

void put_unit(Json& json, const UnitStatus& unit, std::int64_t time) {
    json.text("name", unit.name);
    json.text("state", unit.state);
    json.known_number("pid", unit.pid);
    json.known_number("since_ms", unit.since);
    json.known_number("for_ms", unit.since < 0 ? -1 : time - unit.since);
    json.known_number("started_ms", unit.started);
    json.known_number("took_ms", unit.took);
    json.number("restarts", unit.restarts);
    json.known_number("next_ms", unit.next);
    json.text("exit", unit.exit);
    json.boolean("oom", unit.oom);
    json.boolean("enabled", unit.enabled);
    json.text("failed_by", unit.failed_by);
    json.text("description", unit.description);
    json.text("status", unit.status);
    json.text("reason", unit.reason);
}

}  // namespace thole
