#include <algorithm>
#include <array>
#include <ctime>

#include "base/text.hpp"
#include "control/client.hpp"
#include "control/commands.hpp"
#include "control/protocol.hpp"

namespace thole {

namespace {

constexpr std::chrono::milliseconds kPoll{50};

bool settled(std::string_view verb, std::string_view state) {
    static constexpr std::array<std::string_view, 4> kStarted{"ready", "done", "skipped", "failed"};
    return verb == "stop" ? state == "stopped" : std::ranges::find(kStarted, state) != kStarted.end();
}

Result<UnitStatus> status_of(std::string_view name) {
    const auto body = ask_pid1("status");
    auto units = body ? decode(*body) : std::unexpected(body.error());
    if (!units) {
        return std::unexpected(units.error());
    }
    const auto found = std::ranges::find(*units, name, &UnitStatus::name);
    if (found == units->end()) {
        return failure(concat("there is no unit '", name, "'"));
    }
    return *found;
}

/// PID 1 answers at once and goes on working; the person waits here, not there.
int wait_until_settled(std::string_view verb, std::string_view name) {
    while (true) {
        const auto unit = status_of(name);
        if (!unit) {
            return complain(unit.error());
        }
        if (unit->state == "failed" && verb != "stop") {
            return complain(Error{concat(name, " has failed: ", unit->reason), 0});
        }
        if (settled(verb, unit->state)) {
            return 0;
        }
        const timespec pause{0, std::chrono::nanoseconds(kPoll).count()};
        ::nanosleep(&pause, nullptr);
    }
}

}  // namespace

int unit_command(std::string_view verb, Arguments arguments) {
    const bool wait = std::ranges::find(arguments, "--no-wait") == arguments.end();
    int worst = 0;
    bool any = false;
    for (const std::string_view name : arguments) {
        if (name == "--no-wait") {
            continue;
        }
        any = true;
        const auto answer = ask_pid1(concat(verb, " ", name));
        worst = std::max(worst, !answer ? complain(answer.error()) : wait ? wait_until_settled(verb, name) : 0);
    }
    return any ? worst : complain_usage(concat("usage: thole ", verb, " [--no-wait] NAME...\n"));
}

int shutdown_command(std::string_view action) {
    const auto answer = ask_pid1(concat("shutdown ", action));
    return answer ? 0 : complain(answer.error());
}

}  // namespace thole
