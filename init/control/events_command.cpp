#include "base/text.hpp"
#include "control/client.hpp"
#include "control/commands.hpp"
#include "control/json.hpp"
#include "control/states.hpp"
#include "control/table.hpp"

namespace thole {

namespace {

std::string line_of(const UnitEvent& event, bool coloured) {
    std::string line;
    append(line, "[", event.at / 1000, ".", event.at / 100 % 10, event.at / 10 % 10, event.at % 10, "] ", event.name,
           " ");
    append_coloured(line, event.state, coloured ? colour_of(event.state) : std::string_view());
    append(line, event.reason.empty() ? "" : ": ", event.reason, "\n");
    return line;
}

std::string json_line_of(const UnitEvent& event) {
    Json json(Json::Form::one_line);
    json.begin_object();
    json.number("at_ms", event.at);
    json.text("name", event.name);
    json.text("state", event.state);
    json.text("reason", event.reason);
    json.end_object();
    return json.finish();
}

}  // namespace

int events_command(const Call& call) {
    const std::string_view count_text = call.has("-n") ? call.value("-n") : "0";
    const auto count = parse_integer(count_text, 0, 1'000'000'000);
    if (!count) {
        return complain(count.error());
    }
    auto events = EventStream::open();
    if (!events) {
        return complain(events.error());
    }
    const bool coloured = colours_wanted();
    for (std::int64_t seen = 0; *count == 0 || seen < *count; ++seen) {
        const auto event = events->next();
        if (!event) {
            return complain(event.error());
        }
        print(call.has("--json") ? json_line_of(*event) : line_of(*event, coloured));
    }
    return kDone;
}

}  // namespace thole
