#include "control/systemctl_words.hpp"

#include <csignal>
#include <cstring>

#include "base/text.hpp"
#include "control/states.hpp"

namespace thole {

namespace {

struct StateWords {
    std::string_view state;
    ActiveWords words;
};

constexpr StateWords kWords[] = {
    {"ready", {"active", "running"}},
    {"done", {"active", "exited"}},
    {"waiting", {"activating", "start-pre"}},
    {"preparing", {"activating", "start-pre"}},
    {"starting", {"activating", "start"}},
    {"delayed", {"activating", "auto-restart"}},
    {"stopping", {"deactivating", "stop-sigterm"}},
    {"clearing", {"deactivating", "final-sigkill"}},
    {"finishing", {"deactivating", "stop-post"}},
    {"failed", {"failed", "failed"}},
};

struct SignalName {
    std::string_view name;
    int number;
};

/// Those that end processes; a name that is not here has its number behind it ("killed by signal 40").
constexpr SignalName kSignals[] = {
    {"SIGKILL", SIGKILL}, {"SIGTERM", SIGTERM}, {"SIGSEGV", SIGSEGV}, {"SIGABRT", SIGABRT}, {"SIGINT", SIGINT},
    {"SIGHUP", SIGHUP},   {"SIGQUIT", SIGQUIT}, {"SIGBUS", SIGBUS},   {"SIGFPE", SIGFPE},   {"SIGILL", SIGILL},
    {"SIGPIPE", SIGPIPE}, {"SIGALRM", SIGALRM}, {"SIGUSR1", SIGUSR1}, {"SIGUSR2", SIGUSR2}, {"SIGTRAP", SIGTRAP},
    {"SIGSYS", SIGSYS},   {"SIGXCPU", SIGXCPU}, {"SIGXFSZ", SIGXFSZ},
};

/// The first number in a text, 0 where there is none.
std::int64_t first_number(std::string_view text) {
    const auto start = text.find_first_of("0123456789");
    if (start == std::string_view::npos) {
        return 0;
    }
    const auto rest = text.substr(start);
    return parse_integer(rest.substr(0, rest.find_first_not_of("0123456789")), 0, INT32_MAX).value_or(0);
}

std::string known_or_not_set(std::int64_t number) { return number < 0 ? "[not set]" : to_text(number); }

}  // namespace

ActiveWords active_words(std::string_view state) {
    for (const StateWords& row : kWords) {
        if (row.state == state) {
            return row.words;
        }
    }
    return {"inactive", "dead"};
}

ExecMain exec_main(std::string_view exit) {
    if (exit.empty()) {
        return {};
    }
    if (!exit.starts_with("killed")) {
        return {CLD_EXITED, first_number(exit)};
    }
    for (const SignalName& signal : kSignals) {
        if (exit.find(signal.name) != std::string_view::npos) {
            return {CLD_KILLED, signal.number};
        }
    }
    return {CLD_KILLED, first_number(exit)};
}

std::string_view result_word(const UnitStatus& unit) {
    const ExecMain end = exec_main(unit.exit);
    const bool ended_badly = unit.state == "failed" || unit.state == "delayed";
    if (unit.oom && (end.code == CLD_KILLED || ended_badly)) {
        return "oom-kill";
    }
    if (!ended_badly) {
        return "success";
    }
    if (!unit.failed_by.empty()) {
        return "dependency";
    }
    if (unit.reason.find("in time") != std::string::npos || unit.reason.find("timeout") != std::string::npos) {
        return "timeout";
    }
    if (end.code == CLD_KILLED) {
        return "signal";
    }
    return end.code == CLD_EXITED && end.status != 0 ? "exit-code" : "resources";
}

std::string_view without_suffix(std::string_view unit) {
    constexpr std::string_view kSuffix = ".service";
    return unit.ends_with(kSuffix) ? unit.substr(0, unit.size() - kSuffix.size()) : unit;
}

std::string_view system_word(const std::vector<UnitStatus>& units, bool going_down) {
    bool moving = false;
    bool failed = false;
    for (const UnitStatus& unit : units) {
        moving = moving || (is_on_its_way(unit.state) && unit.state != "delayed");
        failed = failed || needs_attention(unit.state);
    }
    return going_down ? "stopping" : failed ? "degraded" : moving ? "starting" : "running";
}

std::vector<Property> properties_of(const UnitStatus& unit, const ServiceFacts& facts) {
    const ActiveWords words = active_words(unit.state);
    const ExecMain end = exec_main(unit.exit);
    const bool active = words.active == "active";
    const std::string id = unit.name + ".service";
    return {
        {"Type", "simple"},
        {"MainPID", to_text(unit.pid > 0 ? unit.pid : 0)},
        {"Result", std::string(result_word(unit))},
        {"NRestarts", to_text(unit.restarts)},
        {"ExecMainCode", to_text(end.code)},
        {"ExecMainStatus", to_text(end.status)},
        {"StatusText", unit.status},
        {"MemoryCurrent", known_or_not_set(facts.memory)},
        {"TasksCurrent", known_or_not_set(facts.tasks)},
        {"Id", id},
        {"Names", id},
        {"Description", unit.description.empty() ? id : unit.description},
        {"LoadState", facts.known ? "loaded" : "not-found"},
        {"ActiveState", std::string(words.active)},
        {"SubState", std::string(words.sub)},
        {"FragmentPath", facts.fragment},
        {"UnitFileState", !facts.known   ? ""
                          : unit.enabled ? "enabled"
                                         : "disabled"},
        {"ActiveEnterTimestampMonotonic", to_text(active && unit.since > 0 ? unit.since * 1000 : 0)},
    };
}

}  // namespace thole
