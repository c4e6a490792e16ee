// `thole health`: one word and an exit status, for engines, orchestrators and scripts that ask again and again.
#include "base/text.hpp"
#include "control/client.hpp"
#include "control/commands.hpp"
#include "control/json.hpp"
#include "control/protocol.hpp"
#include "control/states.hpp"
#include "control/systemctl_words.hpp"
#include "os/clock.hpp"

namespace thole {

namespace {

std::vector<UnitStatus> troubled(const std::vector<UnitStatus>& units) {
    std::vector<UnitStatus> found;
    for (const UnitStatus& unit : units) {
        if (!is_as_it_should_be(unit.state)) {
            found.push_back(unit);
        }
    }
    return found;
}

std::string to_json(std::string_view word, const std::vector<UnitStatus>& units, std::int64_t time) {
    Json json;
    json.begin_object();
    json.text("state", word);
    json.boolean("healthy", word == "running");
    json.begin_array("units");
    for (const UnitStatus& unit : units) {
        json.begin_object();
        put_unit(json, unit, time);
        json.end_object();
    }
    json.end_array();
    json.end_object();
    return json.finish();
}

std::string describe(std::string_view word, const std::vector<UnitStatus>& units, std::int64_t time) {
    std::string text = concat(word, "\n");
    for (const UnitStatus& unit : units) {
        append(text, "  ", unit.name, " ", unit.state, "  ", detail_of(unit, time), "\n");
    }
    return text;
}

}  // namespace

int health_command(const Call& call) {
    const auto units = ask_status();
    if (!units) {
        return complain(units.error());
    }
    const auto info = ask_pid1("info");
    const auto word = system_word(*units, info && !info_value(*info, "going-down").empty());
    const auto bad = troubled(*units);
    const std::int64_t time = now().milliseconds;
    print(call.has("--json") ? to_json(word, bad, time) : describe(word, bad, time));
    return word == "running" ? kDone : kFailed;
}

}  // namespace thole
