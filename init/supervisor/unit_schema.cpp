#include "supervisor/unit_schema.hpp"

#include <algorithm>
#include <array>
#include <csignal>

namespace thole {

namespace {

template <typename Value>
struct Choice {
    std::string_view name;
    Value value;
};

constexpr std::array kTypes{Choice{"simple", ServiceType::simple}, Choice{"oneshot", ServiceType::oneshot}};
constexpr std::array kReadiness{Choice{"started", Readiness::started}, Choice{"notify", Readiness::notify},
                                Choice{"tcp", Readiness::tcp}, Choice{"unix", Readiness::unix_socket},
                                Choice{"exec", Readiness::exec}};
constexpr std::array kRestart{Choice{"always", RestartPolicy::always}, Choice{"on-failure", RestartPolicy::on_failure},
                              Choice{"never", RestartPolicy::never}};
constexpr std::array kKill{Choice{"cgroup", KillMode::cgroup}, Choice{"process", KillMode::process}};
constexpr std::array kSignals{Choice{"TERM", SIGTERM}, Choice{"INT", SIGINT},   Choice{"QUIT", SIGQUIT},
                              Choice{"HUP", SIGHUP},   Choice{"USR1", SIGUSR1}, Choice{"USR2", SIGUSR2},
                              Choice{"KILL", SIGKILL}};

template <typename Value, std::size_t Count>
Status choose(const std::array<Choice<Value>, Count>& choices, std::string_view text, Value& out) {
    std::string allowed;
    for (const auto& choice : choices) {
        if (choice.name == text) {
            out = choice.value;
            return {};
        }
        allowed += concat(allowed.empty() ? "" : ", ", choice.name);
    }
    return failure(concat("'", text, "' is not one of ", allowed));
}

template <typename Value, std::size_t Count>
std::string_view name_of(const std::array<Choice<Value>, Count>& choices, Value value) {
    return std::ranges::find(choices, value, &Choice<Value>::value)->name;
}

/// Puts a parsed value into a field, or hands the error on.
template <typename Value, typename Field>
Status store(Result<Value> parsed, Field& field) {
    if (!parsed) {
        return std::unexpected(parsed.error());
    }
    field = static_cast<Field>(*parsed);
    return {};
}

Status add_words(std::string_view value, std::vector<std::string>& out) {
    for (const auto word : split_words(value)) {
        out.emplace_back(word);
    }
    return {};
}

Status add_condition(Unit& unit, Condition::Kind kind, std::string_view value) {
    const bool negated = value.starts_with('!');
    const auto subject = trim(value.substr(negated ? 1 : 0));
    if (subject.empty()) {
        return failure("the condition names nothing");
    }
    unit.conditions.push_back({kind, negated, std::string(subject)});
    return {};
}

/// A list of arguments in which the node's configuration is put in after splitting, so that a value with spaces stays
/// one argument.
Status add_arguments(std::string_view value, const Expander& expand, std::vector<std::string>& out) {
    auto arguments = split_command(value);
    if (!arguments) {
        return std::unexpected(arguments.error());
    }
    for (const std::string& argument : *arguments) {
        auto expanded = expand(argument);
        if (!expanded) {
            return std::unexpected(expanded.error());
        }
        out.push_back(std::move(*expanded));
    }
    return {};
}

Status absolute_path(std::string_view value, std::string& out) {
    if (!value.starts_with('/') || value.find("/../") != std::string_view::npos) {
        return failure(concat("'", value, "' is not an absolute path"));
    }
    out = value;
    return {};
}

Status set_cgroup(Unit& unit, std::string_view file, std::string value) {
    unit.cgroup.push_back({std::string(file), std::move(value)});
    return {};
}

Status set_cgroup_size(Unit& unit, std::string_view file, std::string_view value) {
    if (value == "max") {
        return set_cgroup(unit, file, "max");
    }
    const auto size = parse_size(value);
    return size ? set_cgroup(unit, file, to_text(*size)) : Status(std::unexpected(size.error()));
}

Status set_cgroup_number(Unit& unit, std::string_view file, std::string_view value, std::int64_t most) {
    const auto number = parse_integer(value, 1, most);
    return number ? set_cgroup(unit, file, to_text(*number)) : Status(std::unexpected(number.error()));
}

/// cpu.max: "PERCENT%" of one CPU becomes quota and period; "max" takes the limit away.
Status set_cpu_max(Unit& unit, std::string_view value) {
    if (value == "max") {
        return set_cgroup(unit, "cpu.max", "max 100000");
    }
    if (!value.ends_with('%')) {
        return failure(concat("'", value, "' is not a share of one CPU such as 50% or 200%, or max"));
    }
    const auto percent = parse_integer(value.substr(0, value.size() - 1), 1, 1'000'000);
    if (!percent) {
        return std::unexpected(percent.error());
    }
    return set_cgroup(unit, "cpu.max", concat(*percent * 1000, " 100000"));
}

using Form = UnitKey::Form;

// Captureless lambdas keep each key's rule beside its documentation.
constexpr std::array kKeys{
    UnitKey{"unit", "description", Form::single,
            [](Unit& unit, std::string_view value, const Expander&) -> Status {
                unit.description = value;
                return {};
            },
            "text", "One line for people."},
    UnitKey{"unit", "requires", Form::joined,
            [](Unit& unit, std::string_view value, const Expander&) { return add_words(value, unit.required); },
            "unit names", "Must be ready first; started with this unit; if one fails, this one does not start."},
    UnitKey{"unit", "wants", Form::joined,
            [](Unit& unit, std::string_view value, const Expander&) { return add_words(value, unit.wanted); },
            "unit names", "Started with this unit and waited for, but a failure is no obstacle."},
    UnitKey{"unit", "after", Form::joined,
            [](Unit& unit, std::string_view value, const Expander&) { return add_words(value, unit.after); },
            "unit names", "Order only: if it is being started, this one waits for it."},
    UnitKey{"unit", "before", Form::joined,
            [](Unit& unit, std::string_view value, const Expander&) { return add_words(value, unit.before); },
            "unit names", "Order only: the other side of `after`."},
    UnitKey{"unit", "condition-path", Form::each,
            [](Unit& unit, std::string_view value, const Expander&) {
                return add_condition(unit, Condition::Kind::path, value);
            },
            "a path, `!` negates", "Where it does not hold the unit is skipped, which satisfies its dependents."},
    UnitKey{"unit", "condition-key", Form::each,
            [](Unit& unit, std::string_view value, const Expander&) {
                return add_condition(unit, Condition::Kind::key, value);
            },
            "`section.key` or `section.key=value`, `!` negates",
            "The same for a key of node.ini that is set and not `no`."},

    UnitKey{"service", "type", Form::single,
            [](Unit& unit, std::string_view value, const Expander&) { return choose(kTypes, value, unit.type); },
            "simple, oneshot", "A oneshot is ready when its command has ended with 0, and stays so."},
    UnitKey{
        "service", "command", Form::joined,
        [](Unit& unit, std::string_view value, const Expander& expand) {
            return add_arguments(value, expand, unit.command);
        },
        "program and arguments",
        "No shell. `${section.key}` is node.ini's value, `${NAME}` the service's environment; indented lines go on."},
    UnitKey{"service", "environment", Form::joined,
            [](Unit& unit, std::string_view value, const Expander& expand) {
                return add_arguments(value, expand, unit.environment);
            },
            "NAME=value ...", "Added to the environment."},
    UnitKey{"service", "environment-file", Form::each,
            [](Unit& unit, std::string_view value, const Expander&) {
                return absolute_path(value, unit.environment_files.emplace_back());
            },
            "a path", "Lines NAME=value, read at each start; a missing file is an error of the start."},
    UnitKey{"service", "user", Form::single,
            [](Unit& unit, std::string_view value, const Expander&) -> Status {
                unit.user = value;
                return {};
            },
            "a user name", "Default root."},
    UnitKey{"service", "working-directory", Form::single,
            [](Unit& unit, std::string_view value, const Expander&) {
                return absolute_path(value, unit.working_directory);
            },
            "a path", "Default /."},
    UnitKey{
        "service", "readiness", Form::single,
        [](Unit& unit, std::string_view value, const Expander&) { return choose(kReadiness, value, unit.readiness); },
        "started, notify, tcp, unix, exec", "When the service counts as ready; notify is sd_notify(3)'s READY=1."},
    UnitKey{"service", "readiness-target", Form::single,
            [](Unit& unit, std::string_view value, const Expander& expand) {
                return store(expand(value), unit.readiness_target);
            },
            "ADDRESS:PORT, a path, or a command", "What tcp, unix or exec ask; asked again until it answers."},
    UnitKey{"service", "readiness-timeout", Form::single,
            [](Unit& unit, std::string_view value, const Expander&) {
                return store(parse_duration(value), unit.readiness_timeout);
            },
            "a time, 0 = none", "After it a start has failed. Default 90s."},
    UnitKey{"service", "restart", Form::single,
            [](Unit& unit, std::string_view value, const Expander&) { return choose(kRestart, value, unit.restart); },
            "always, on-failure, never", "Default on-failure."},
    UnitKey{"service", "restart-delay", Form::single,
            [](Unit& unit, std::string_view value, const Expander&) {
                return store(parse_duration(value), unit.restart_delay);
            },
            "a time", "Before the first restart; doubled each time. Default 200ms."},
    UnitKey{"service", "restart-delay-max", Form::single,
            [](Unit& unit, std::string_view value, const Expander&) {
                return store(parse_duration(value), unit.restart_delay_max);
            },
            "a time", "The longest delay. Default 30s. A minute of health starts again with the first."},
    UnitKey{
        "service", "stop-signal", Form::single,
        [](Unit& unit, std::string_view value, const Expander&) { return choose(kSignals, value, unit.stop_signal); },
        "TERM, INT, QUIT, HUP, USR1, USR2, KILL", "Sent to the main process. Default TERM."},
    UnitKey{"service", "stop-timeout", Form::single,
            [](Unit& unit, std::string_view value, const Expander&) {
                return store(parse_duration(value), unit.stop_timeout);
            },
            "a time", "After it comes SIGKILL. Default 10s."},
    UnitKey{"service", "kill", Form::single,
            [](Unit& unit, std::string_view value, const Expander&) { return choose(kKill, value, unit.kill); },
            "cgroup, process", "What dies with the main process: all of its cgroup, or nothing (container runtimes)."},
    UnitKey{"service", "oom-score-adjust", Form::single,
            [](Unit& unit, std::string_view value, const Expander&) {
                return store(parse_integer(value, -1000, 1000), unit.oom_score_adjust.emplace());
            },
            "-1000 to 1000", "See proc(5). Default 0."},
    UnitKey{"service", "nice", Form::single,
            [](Unit& unit, std::string_view value, const Expander&) {
                return store(parse_integer(value, -20, 19), unit.nice);
            },
            "-20 to 19", "See setpriority(2)."},

    UnitKey{"cgroup", "cpu.weight", Form::single,
            [](Unit& unit, std::string_view value, const Expander&) {
                return set_cgroup_number(unit, "cpu.weight", value, 10'000);
            },
            "1 to 10000", "Share of CPU under contention."},
    UnitKey{"cgroup", "cpu.max", Form::single,
            [](Unit& unit, std::string_view value, const Expander&) { return set_cpu_max(unit, value); },
            "a percentage of one CPU, or max", "Hard limit of CPU time."},
    UnitKey{"cgroup", "io.weight", Form::single,
            [](Unit& unit, std::string_view value, const Expander&) {
                return set_cgroup_number(unit, "io.weight", value, 10'000);
            },
            "1 to 10000", "Share of disk time under contention."},
    UnitKey{
        "cgroup", "memory.max", Form::single,
        [](Unit& unit, std::string_view value, const Expander&) { return set_cgroup_size(unit, "memory.max", value); },
        "a size, or max", "Hard limit of memory."},
    UnitKey{
        "cgroup", "memory.high", Form::single,
        [](Unit& unit, std::string_view value, const Expander&) { return set_cgroup_size(unit, "memory.high", value); },
        "a size, or max", "Above it the service is slowed and reclaimed from."},
    UnitKey{
        "cgroup", "memory.min", Form::single,
        [](Unit& unit, std::string_view value, const Expander&) { return set_cgroup_size(unit, "memory.min", value); },
        "a size", "Memory that is never reclaimed."},
    UnitKey{"cgroup", "pids.max", Form::single,
            [](Unit& unit, std::string_view value, const Expander&) {
                return value == "max" ? set_cgroup(unit, "pids.max", "max")
                                      : set_cgroup_number(unit, "pids.max", value, 4'194'304);
            },
            "a number, or max", "Most processes and threads."},
    UnitKey{
        "cgroup", "delegate", Form::single,
        [](Unit& unit, std::string_view value, const Expander&) { return store(parse_boolean(value), unit.delegate); },
        "yes, no", "All controllers are enabled for the service's own children."},

    UnitKey{"log", "size", Form::single,
            [](Unit& unit, std::string_view value, const Expander&) { return store(parse_size(value), unit.log_size); },
            "a size", "A log file of this size is rotated. Default 4M."},
    UnitKey{"log", "count", Form::single,
            [](Unit& unit, std::string_view value, const Expander&) {
                return store(parse_integer(value, 1, 100), unit.log_count);
            },
            "1 to 100", "Files kept, the current one among them. Default 2."},
};

}  // namespace

std::span<const UnitKey> unit_keys() { return kKeys; }

std::string_view to_text(ServiceType type) { return name_of(kTypes, type); }
std::string_view to_text(Readiness readiness) { return name_of(kReadiness, readiness); }

}  // namespace thole
