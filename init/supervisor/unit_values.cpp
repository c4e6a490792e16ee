#include "supervisor/unit_values.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <limits>

#include "base/listen_address.hpp"
#include "supervisor/unit_schema.hpp"

namespace thole {

namespace {

constexpr std::array kLimits{
    Choice{"as", RLIMIT_AS},           Choice{"core", RLIMIT_CORE},         Choice{"cpu", RLIMIT_CPU},
    Choice{"data", RLIMIT_DATA},       Choice{"fsize", RLIMIT_FSIZE},       Choice{"locks", RLIMIT_LOCKS},
    Choice{"memlock", RLIMIT_MEMLOCK}, Choice{"msgqueue", RLIMIT_MSGQUEUE}, Choice{"nice", RLIMIT_NICE},
    Choice{"nofile", RLIMIT_NOFILE},   Choice{"nproc", RLIMIT_NPROC},       Choice{"rss", RLIMIT_RSS},
    Choice{"rtprio", RLIMIT_RTPRIO},   Choice{"rttime", RLIMIT_RTTIME},     Choice{"sigpending", RLIMIT_SIGPENDING},
    Choice{"stack", RLIMIT_STACK}};

// In the order of linux/capability.h.
constexpr std::array<std::string_view, 41> kCapabilities{"chown",
                                                         "dac_override",
                                                         "dac_read_search",
                                                         "fowner",
                                                         "fsetid",
                                                         "kill",
                                                         "setgid",
                                                         "setuid",
                                                         "setpcap",
                                                         "linux_immutable",
                                                         "net_bind_service",
                                                         "net_broadcast",
                                                         "net_admin",
                                                         "net_raw",
                                                         "ipc_lock",
                                                         "ipc_owner",
                                                         "sys_module",
                                                         "sys_rawio",
                                                         "sys_chroot",
                                                         "sys_ptrace",
                                                         "sys_pacct",
                                                         "sys_admin",
                                                         "sys_boot",
                                                         "sys_nice",
                                                         "sys_resource",
                                                         "sys_time",
                                                         "sys_tty_config",
                                                         "mknod",
                                                         "lease",
                                                         "audit_write",
                                                         "audit_control",
                                                         "setfcap",
                                                         "mac_override",
                                                         "mac_admin",
                                                         "syslog",
                                                         "wake_alarm",
                                                         "block_suspend",
                                                         "audit_read",
                                                         "perfmon",
                                                         "bpf",
                                                         "checkpoint_restore"};

std::unexpected<Error> unknown_word(std::string_view kind, std::string_view word,
                                    const std::vector<std::string_view>& names) {
    const auto nearest = nearest_name(word, names);
    return failure(concat("there is no ", kind, " '", word, "'", nearest.empty() ? "" : "; did you mean '", nearest,
                          nearest.empty() ? "" : "'?"));
}

Status apply_choice(const UnitKey& row, Unit& unit, std::string_view value) {
    const auto found = std::ranges::find(row.choices, value, &Choice::name);
    if (found == row.choices.end()) {
        return failure(concat("'", value, "' is not one of ", allowed_text(row)));
    }
    row.store.number(unit, found->value);
    return {};
}

Status store(const UnitKey& row, Unit& unit, const Result<std::int64_t>& parsed) {
    if (!parsed) {
        return std::unexpected(parsed.error());
    }
    row.store.number(unit, *parsed);
    return {};
}

Status apply_duration(const UnitKey& row, Unit& unit, std::string_view value) {
    const auto duration = parse_duration(value);
    return store(row, unit, duration ? Result<std::int64_t>(duration->count()) : std::unexpected(duration.error()));
}

Status apply_boolean(const UnitKey& row, Unit& unit, std::string_view value) {
    const auto boolean = parse_boolean(value);
    return store(row, unit, boolean ? Result<std::int64_t>(*boolean ? 1 : 0) : std::unexpected(boolean.error()));
}

Status set_cgroup(Unit& unit, std::string_view file, std::string value) {
    unit.cgroup.push_back({std::string(file), std::move(value)});
    return {};
}

Status apply_cgroup(const UnitKey& row, Unit& unit, std::string_view value) {
    if (value == "max" && (row.kind == UnitKey::Kind::cgroup_size || row.key == "pids.max")) {
        return set_cgroup(unit, row.key, "max");
    }
    if (row.kind == UnitKey::Kind::cgroup_text) {
        if (value.find_first_not_of("0123456789,-") != std::string_view::npos) {
            return failure(concat("'", value, "' is not ", row.allowed));
        }
        return set_cgroup(unit, row.key, std::string(value));
    }
    const auto number =
        row.kind == UnitKey::Kind::cgroup_size ? parse_size(value) : parse_integer(value, row.least, row.most);
    return number ? set_cgroup(unit, row.key, to_text(*number)) : Status(std::unexpected(number.error()));
}

Status apply_list(const UnitKey& row, Unit& unit, std::string_view value) {
    auto& list = row.store.list(unit);
    for (const auto word : split_words(value)) {
        if (row.kind == UnitKey::Kind::words) {
            list.emplace_back(word);
        } else if (auto added = absolute_path(word, list.emplace_back()); !added) {
            return added;
        }
    }
    return {};
}

Status apply_expanded(const UnitKey& row, Unit& unit, std::string_view value, const Expander& expand) {
    auto expanded = expand(value);
    if (!expanded) {
        return std::unexpected(expanded.error());
    }
    row.store.text(unit) = std::move(*expanded);
    return {};
}

Result<std::uint64_t> parse_capabilities(std::string_view value) {
    std::uint64_t set = 0;
    std::string lower(value);
    for (char& letter : lower) {
        letter = letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
    }
    for (auto word : split_words(lower)) {
        if (word == "none") {
            continue;
        }
        if (word.starts_with("cap_")) {
            word.remove_prefix(4);
        }
        const auto found = std::ranges::find(kCapabilities, word);
        if (found == kCapabilities.end()) {
            return unknown_word("capability", word, {kCapabilities.begin(), kCapabilities.end()});
        }
        set |= std::uint64_t{1} << static_cast<unsigned>(found - kCapabilities.begin());
    }
    return set;
}

Result<std::uint64_t> parse_limit(std::string_view text) {
    if (text == "infinity" || text == "unlimited") {
        return std::numeric_limits<std::uint64_t>::max();
    }
    const auto number = parse_size(text);
    return number ? Result<std::uint64_t>(static_cast<std::uint64_t>(*number)) : std::unexpected(number.error());
}

}  // namespace

Status add_condition(Unit& unit, Condition::Kind kind, std::string_view value) {
    const bool negated = value.starts_with('!');
    const auto subject = trim(value.substr(negated ? 1 : 0));
    if (subject.empty()) {
        return failure("the condition names nothing");
    }
    if (kind == Condition::Kind::key &&
        subject.substr(0, subject.find('=')).find_first_of(" \t") != std::string_view::npos) {
        return failure(concat("'", subject, "' is more than one key: give each a line of its own"));
    }
    unit.conditions.push_back({kind, negated, std::string(subject)});
    return {};
}

Status add_container_condition(Unit& unit, std::string_view value, const Expander& /*expand*/) {
    const auto wanted = parse_boolean(value);
    if (!wanted) {
        return std::unexpected(wanted.error());
    }
    unit.conditions.push_back({Condition::Kind::container, !*wanted, "container"});
    return {};
}

Status add_roles(Unit& unit, std::string_view value, const Expander& /*expand*/) {
    unit.conditions.push_back({Condition::Kind::role, false, std::string(value)});
    return {};
}

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

Status add_command(std::string_view value, const Expander& expand, std::vector<CommandLine>& out) {
    CommandLine command;
    if (auto added = add_arguments(value, expand, command); !added) {
        return added;
    }
    if (command.empty()) {
        return failure("the command is empty");
    }
    out.push_back(std::move(command));
    return {};
}

Status absolute_path(std::string_view value, std::string& out) {
    if (!value.starts_with('/') || value.find("/../") != std::string_view::npos) {
        return failure(concat("'", value, "' is not an absolute path"));
    }
    out = value;
    return {};
}

Status set_umask(Unit& unit, std::string_view value, const Expander& /*expand*/) {
    const bool octal = value.find_first_not_of("01234567") == std::string_view::npos;
    if (!octal || value.size() < 3 || value.size() > 4 || (value.size() == 4 && value[0] != '0')) {
        return failure(concat("'", value, "' is not three octal digits such as 027"));
    }
    unsigned mask = 0;
    for (const char digit : value) {
        mask = mask * 8 + static_cast<unsigned>(digit - '0');
    }
    unit.confined().umask = mask;
    return {};
}

Status add_limits(Unit& unit, std::string_view value, const Expander& /*expand*/) {
    for (const auto word : split_words(value)) {
        const auto equals = std::min(word.find('='), word.size());
        const auto found = std::ranges::find(kLimits, word.substr(0, equals), &Choice::name);
        if (found == kLimits.end()) {
            std::vector<std::string_view> names;
            for (const Choice& limit : kLimits) {
                names.push_back(limit.name);
            }
            return unknown_word("limit", word.substr(0, equals), names);
        }
        const auto amount = word.substr(std::min(equals + 1, word.size()));
        const auto colon = amount.find(':');
        const auto soft = parse_limit(amount.substr(0, colon));
        const auto hard = colon == std::string_view::npos ? soft : parse_limit(amount.substr(colon + 1));
        if (!soft || !hard) {
            return with_context(word, soft ? hard.error() : soft.error());
        }
        if (*soft > *hard) {
            return failure(concat("'", word, "': the soft limit is above the hard one"));
        }
        unit.confined().limits.push_back({found->value, *soft, *hard});
    }
    return {};
}

Status set_capabilities(Unit& unit, std::string_view value, const Expander& /*expand*/) {
    const auto set = parse_capabilities(value);
    if (!set) {
        return std::unexpected(set.error());
    }
    unit.confined().capabilities = *set;
    return {};
}

Status set_ambient_capabilities(Unit& unit, std::string_view value, const Expander& /*expand*/) {
    const auto set = parse_capabilities(value);
    if (!set) {
        return std::unexpected(set.error());
    }
    unit.confined().ambient_capabilities = *set;
    return {};
}

/// cpu.max: "PERCENT%" of one CPU becomes quota and period; "max" takes the limit away.
Status set_cpu_max(Unit& unit, std::string_view value, const Expander& /*expand*/) {
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

Status set_calendar(Unit& unit, std::string_view value, const Expander& /*expand*/) {
    const auto calendar = parse_calendar(value);
    if (!calendar) {
        return std::unexpected(calendar.error());
    }
    unit.timed().calendar = *calendar;
    return {};
}

Status add_listener(Unit& unit, std::string_view value, const Expander& expand) {
    auto text = expand(value);
    if (!text) {
        return std::unexpected(text.error());
    }
    if (const auto address = parse_listen_address(*text); !address) {
        return std::unexpected(address.error());
    }
    unit.listen.push_back(std::move(*text));
    return {};
}

Status apply_key(const UnitKey& row, Unit& unit, std::string_view value, const Expander& expand) {
    using Kind = UnitKey::Kind;
    switch (row.kind) {
        case Kind::text: row.store.text(unit) = value; return {};
        case Kind::path: return absolute_path(value, row.store.text(unit));
        case Kind::expanded: return apply_expanded(row, unit, value, expand);
        case Kind::words:
        case Kind::path_list: return apply_list(row, unit, value);
        case Kind::arguments: return add_arguments(value, expand, row.store.list(unit));
        case Kind::one_path: return absolute_path(value, row.store.list(unit).emplace_back());
        case Kind::duration: return apply_duration(row, unit, value);
        case Kind::size: return store(row, unit, parse_size(value));
        case Kind::number: return store(row, unit, parse_integer(value, row.least, row.most));
        case Kind::boolean: return apply_boolean(row, unit, value);
        case Kind::choice: return apply_choice(row, unit, value);
        case Kind::cgroup_size:
        case Kind::cgroup_number:
        case Kind::cgroup_text: return apply_cgroup(row, unit, value);
        case Kind::special: return row.store.special(unit, value, expand);
    }
    return {};
}

std::string allowed_text(const UnitKey& row) {
    using Kind = UnitKey::Kind;
    if (!row.allowed.empty()) {
        return std::string(row.allowed);
    }
    switch (row.kind) {
        case Kind::boolean: return "yes, no";
        case Kind::duration: return "a time";
        case Kind::size: return "a size";
        case Kind::cgroup_size: return "a size, or max";
        case Kind::number:
        case Kind::cgroup_number: return concat(row.least, " to ", row.most);
        default: break;
    }
    std::string words;
    for (const Choice& choice : row.choices) {
        words += concat(words.empty() ? "" : ", ", choice.name);
    }
    return words;
}

}  // namespace thole
