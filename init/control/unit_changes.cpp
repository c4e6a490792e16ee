#include "control/unit_changes.hpp"

#include <poll.h>

#include "base/text.hpp"
#include "control/client.hpp"
#include "control/commands.hpp"

namespace thole {

namespace {

constexpr int kPollMilliseconds = 200;

Result<UnitStatus> status_of(std::string_view name) {
    const auto units = ask_status();
    if (!units) {
        return std::unexpected(units.error());
    }
    const UnitStatus* const unit = find_unit(*units, name);
    return unit == nullptr ? Result<UnitStatus>(failure(concat("there is no unit '", name, "'"))) : *unit;
}

/// Waits for the unit's next change, or, where events cannot be read, a little. Returns what the unit is like then.
Result<UnitStatus> next_status(Result<EventStream>& events, std::string_view verb, std::string_view name) {
    while (events) {
        const auto event = events->next();
        if (!event) {
            events = failure("PID 1 has dropped this reader");
            break;
        }
        if (event->name != name) {
            continue;
        }
        if (event->state == "stopped" && verb != "stop") {
            break;  // between the two halves of a restart, or for good: PID 1 knows
        }
        UnitStatus unit;
        unit.state = event->state;
        unit.since = event->at;
        unit.reason = event->reason;
        return unit;
    }
    if (!events) {
        ::poll(nullptr, 0, kPollMilliseconds);  // all places of readers are taken: ask now and then
    }
    return status_of(name);
}

}  // namespace

bool has_settled(std::string_view verb, std::string_view state, bool moved) {
    if (verb == "stop") {
        return state == "stopped" || state == "failed" || state == "skipped" || state == "idle";
    }
    if (state == "ready" || state == "done") {
        return moved || verb == "start";
    }
    return moved &&
           (state == "skipped" || state == "failed" || state == "delayed" || state == "stopped" || state == "idle");
}

bool has_worked(std::string_view verb, std::string_view state) {
    return verb == "stop" ? state != "failed" : state != "failed" && state != "delayed";
}

Result<UnitStatus> change_unit(std::string_view verb, std::string_view name, bool wait) {
    if (!wait) {
        const auto answer = ask_pid1(concat(verb, " ", name));
        UnitStatus unit;
        unit.name = name;
        return answer ? Result<UnitStatus>(std::move(unit)) : std::unexpected(answer.error());
    }
    // Events are read before anything is asked, so that no change is missed. An instance may come into being only now.
    auto events = EventStream::open();
    const UnitStatus before = status_of(name).value_or(UnitStatus{});
    if (const auto answer = ask_pid1(concat(verb, " ", name)); !answer) {
        return std::unexpected(answer.error());
    }
    auto unit = status_of(name);
    while (unit && !has_settled(verb, unit->state, unit->since > before.since || unit->state != before.state)) {
        unit = next_status(events, verb, name);
    }
    if (unit) {
        unit->name = name;
    }
    return unit;
}

int change_and_say(std::string_view verb, std::string_view name, bool wait, UnitStatus& after) {
    auto changed = change_unit(verb, name, wait);
    if (!changed) {
        const auto units = ask_status();
        if (units && find_unit(*units, name) == nullptr) {
            return complain_no_unit(name, *units);
        }
        return complain(changed.error());
    }
    after = std::move(*changed);
    if (wait && !has_worked(verb, after.state)) {
        return complain(Error{
            concat(name,
                   after.state == "delayed" ? " has ended and will be started again: " : " has failed: ", after.reason),
            0});
    }
    return kDone;
}

}  // namespace thole
