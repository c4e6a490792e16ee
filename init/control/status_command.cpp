#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "control/client.hpp"
#include "control/commands.hpp"
#include "control/protocol.hpp"
#include "log/tail.hpp"
#include "os/cgroup.hpp"
#include "os/clock.hpp"
#include "os/file.hpp"

namespace thole {

namespace {

constexpr std::size_t kTailLines = 5;

std::int64_t memory_of(const std::string& name) {
    const auto text = read_file(concat(kCgroupRoot, "/services/", name, "/memory.current"));
    const auto bytes = text ? parse_integer(trim(*text), 0, std::int64_t{1} << 60) : Result<std::int64_t>(0);
    return bytes.value_or(0);
}

std::string padded(std::string text, std::size_t width) {
    if (text.size() < width) {
        text.append(width - text.size(), ' ');
    }
    return text + "  ";
}

std::string json_of(const UnitStatus& unit, Instant time) {
    std::string tail;
    if (unit.state == "failed" || unit.state == "delayed") {
        for (const std::string& line : last_lines(log_path(unit.name), kTailLines)) {
            tail += concat(tail.empty() ? "" : ", ", json_string(line));
        }
    }
    return concat("  {\"name\": ", json_string(unit.name), ", \"state\": ", json_string(unit.state),
                  ", \"pid\": ", unit.pid, ", \"for_ms\": ", time.milliseconds - unit.since,
                  ", \"took_ms\": ", unit.took, ", \"restarts\": ", unit.restarts,
                  ", \"memory_bytes\": ", memory_of(unit.name), ", \"description\": ", json_string(unit.description),
                  ", \"reason\": ", json_string(unit.reason), ", \"log\": [", tail, "]}");
}

void print_json(const std::vector<UnitStatus>& units, Instant time) {
    std::string text;
    for (const UnitStatus& unit : units) {
        text += concat(text.empty() ? "" : ",\n", json_of(unit, time));
    }
    print(concat("[\n", text, "\n]\n"));
}

void print_table(const std::vector<UnitStatus>& units, Instant time) {
    std::string text = concat(padded("NAME", 26), padded("STATE", 9), padded("FOR", 10), padded("PID", 6),
                              padded("RESTARTS", 8), padded("MEMORY", 7), "DETAIL\n");
    for (const UnitStatus& unit : units) {
        const bool runs = unit.pid > 0;
        text += concat(padded(unit.name, 26), padded(unit.state, 9),
                       padded(duration_text(Milliseconds(time.milliseconds - unit.since)), 10),
                       padded(runs ? to_text(unit.pid) : "-", 6), padded(to_text(unit.restarts), 8),
                       padded(runs ? concat(memory_of(unit.name) >> 20, "M") : "-", 7),
                       unit.reason.empty() ? unit.description : unit.reason, "\n");
    }
    for (const UnitStatus& unit : units) {
        if (unit.state != "failed" && unit.state != "delayed") {
            continue;
        }
        for (const std::string& line : last_lines(log_path(unit.name), kTailLines)) {
            text += concat(unit.name, ": ", line, "\n");
        }
    }
    print(text);
}

}  // namespace

int status_command(Arguments arguments) {
    const bool json = std::ranges::find(arguments, "--json") != arguments.end();
    const auto body = ask_pid1("status");
    auto units = body ? decode(*body) : std::unexpected(body.error());
    if (!units) {
        return complain(units.error());
    }
    std::vector<UnitStatus> chosen;
    for (const std::string_view name : arguments) {
        if (name == "--json") {
            continue;
        }
        const auto found = std::ranges::find(*units, name, &UnitStatus::name);
        if (found == units->end()) {
            return complain(Error{concat("there is no unit '", name, "'; `thole status` lists them"), 0});
        }
        chosen.push_back(*found);
    }
    const auto& shown = chosen.empty() ? *units : chosen;
    json ? print_json(shown, now()) : print_table(shown, now());
    const bool failed = std::ranges::any_of(shown, [](const UnitStatus& unit) { return unit.state == "failed"; });
    return failed ? 1 : 0;
}

}  // namespace thole
