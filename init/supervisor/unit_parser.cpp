#include <algorithm>

#include "config/ini.hpp"
#include "supervisor/unit.hpp"
#include "supervisor/unit_schema.hpp"

namespace thole {

namespace {

bool is_name_character(char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || (letter >= '0' && letter <= '9') ||
           letter == '-' || letter == '_' || letter == '.' || letter == '@';
}

}  // namespace

Result<std::string> unit_name_of_file(std::string_view file) {
    constexpr std::string_view kSuffix = ".unit";
    std::string_view name = file.substr(file.rfind('/') + 1);
    if (!name.ends_with(kSuffix)) {
        return failure(concat(file, ": a unit's file is called NAME.unit"));
    }
    name.remove_suffix(kSuffix.size());
    if (name.empty() || name.size() > 64 || name[0] == '.' || name[0] == '@' ||
        !std::ranges::all_of(name, is_name_character)) {
        return failure(concat(file, ": a unit's name has 1 to 64 letters, digits, '-', '_', '.' or '@'"));
    }
    if (name == "thole" || name == "kernel") {
        return failure(concat(file, ": this name belongs to a log of PID 1's own"));
    }
    return std::string(name);
}

std::string_view template_of(std::string_view name) {
    const auto at = name.find('@');
    return at == std::string_view::npos || at + 1 == name.size() ? std::string_view() : name.substr(0, at + 1);
}

namespace {

const UnitKey* find_key(std::string_view section, std::string_view key) {
    for (const auto table : unit_keys()) {
        const auto row = std::ranges::find_if(
            table, [&](const UnitKey& candidate) { return candidate.section == section && candidate.key == key; });
        if (row != table.end()) {
            return &*row;
        }
    }
    return nullptr;
}

std::unexpected<Error> unknown_key(std::string_view section, std::string_view key) {
    std::vector<std::string_view> sections;
    std::vector<std::string_view> keys;
    for (const auto table : unit_keys()) {
        for (const UnitKey& row : table) {
            sections.push_back(row.section);
            if (row.section == section) {
                keys.push_back(row.key);
            }
        }
    }
    const bool known_section = !keys.empty();
    const auto nearest = known_section ? nearest_name(key, keys) : nearest_name(section, sections);
    std::string message = known_section ? concat("unknown key '", key, "' in [", section, "]")
                                        : concat("unknown section [", section, "]");
    if (!nearest.empty()) {
        message += concat("; did you mean '", nearest, "'?");
    }
    return failure(std::move(message));
}

struct PendingValue {
    const UnitKey* row = nullptr;
    std::string value;
    std::size_t text = 0;  // which of the unit's texts it stands in
    int line = 0;
};

/// Joins indented continuation lines (entries that repeat a key) and refuses a single value that is given twice. What
/// an earlier text said of the key goes away.
Status add_value(std::vector<PendingValue>& values, const UnitKey* row, const IniEntry& entry, std::size_t text) {
    std::erase_if(values, [&](const PendingValue& value) { return value.row == row && value.text < text; });
    const auto earlier = std::ranges::find(values, row, &PendingValue::row);
    if (row->form == UnitKey::Form::each || earlier == values.end()) {
        values.push_back({row, std::string(entry.value), text, entry.line});
        return {};
    }
    if (row->form == UnitKey::Form::single) {
        return failure(concat("'", row->key, "' is given twice; the first is in line ", earlier->line));
    }
    earlier->value += ' ';
    earlier->value += entry.value;
    return {};
}

Result<std::vector<PendingValue>> read_values(std::span<const UnitText> texts) {
    std::vector<PendingValue> values;
    for (std::size_t text = 0; text < texts.size(); ++text) {
        const auto read = parse_ini(texts[text].path, texts[text].text, [&](const IniEntry& entry) -> Status {
            const UnitKey* row = find_key(entry.section, entry.key);
            return row == nullptr ? unknown_key(entry.section, entry.key) : add_value(values, row, entry, text);
        });
        if (!read) {
            return std::unexpected(read.error());
        }
    }
    std::erase_if(values, [](const PendingValue& value) { return value.text > 0 && value.value.empty(); });
    return values;
}

/// %i and %n of an instance; "%%" is "%". Other percent signs stay.
std::string fill_in_instance(std::string_view name, std::string_view value) {
    const auto instance = name.substr(name.find('@') + 1);
    std::string out;
    for (std::size_t at = 0; at < value.size(); ++at) {
        const char next = value[at] == '%' && at + 1 < value.size() ? value[at + 1] : '\0';
        if (next == 'i' || next == 'n' || next == '%') {
            out += next == 'i' ? instance : next == 'n' ? name : "%";
            ++at;
        } else {
            out += value[at];
        }
    }
    return out;
}

/// FNV-1a, 64 bits: it only has to tell that somebody edited something.
void mix(std::uint64_t& hash, std::string_view text) {
    for (const char letter : text) {
        hash = (hash ^ static_cast<unsigned char>(letter)) * 0x100'0000'01B3U;
    }
    hash = (hash ^ 0xFFU) * 0x100'0000'01B3U;
}

bool asks_for_restart(const UnitKey& row) { return row.key != "description" && row.key != "enabled"; }

Status check_readiness(const Unit& unit) {
    const bool wants_target = unit.readiness == Readiness::tcp || unit.readiness == Readiness::unix_socket ||
                              unit.readiness == Readiness::file || unit.readiness == Readiness::exec;
    if (wants_target && unit.readiness_target.empty()) {
        return failure(concat("readiness '", to_text(unit.readiness), "' needs a 'readiness-target'"));
    }
    if (!wants_target && unit.readiness != Readiness::fd && !unit.readiness_target.empty()) {
        return failure(concat("'readiness-target' says nothing with readiness '", to_text(unit.readiness), "'"));
    }
    if (unit.type != ServiceType::simple && unit.readiness != Readiness::started) {
        return failure(
            concat("a service of type '", to_text(unit.type), "' is ready by its process; 'readiness' is not for it"));
    }
    if (unit.readiness == Readiness::fd && !unit.readiness_target.empty() &&
        !parse_integer(unit.readiness_target, 3, 99)) {
        return failure(concat("'readiness-target = ", unit.readiness_target, "' is not a descriptor from 3 to 99"));
    }
    return {};
}

Status check_whole(const Unit& unit) {
    if (unit.command.empty()) {
        return failure("there is no 'command' in [service]");
    }
    if (auto checked = check_readiness(unit); !checked) {
        return checked;
    }
    if (unit.type == ServiceType::oneshot && unit.restart == RestartPolicy::always) {
        return failure("'restart = always' would run a oneshot again and again; use on-failure or never");
    }
    if ((unit.type == ServiceType::forking) == unit.pid_file.empty()) {
        return failure("'type = forking' and 'pid-file' belong together");
    }
    if (unit.watchdog.count() != 0 && unit.readiness != Readiness::notify) {
        return failure("'watchdog' needs 'readiness = notify': the service must speak sd_notify(3)");
    }
    if (unit.timer && unit.timer->calendar.has_value() == (unit.timer->every.count() > 0)) {
        return failure("[timer] takes one of 'every' and 'on-calendar'");
    }
    if (unit.listen.size() > 30) {
        return failure("a unit has at most 30 'listen'");
    }
    if (unit.on_demand && unit.listen.empty()) {
        return failure("'on-demand' needs a 'listen' in [socket]");
    }
    if (unit.on_demand && unit.timer) {
        return failure("a unit is started by its timer or by its socket, not by both");
    }
    return {};
}

}  // namespace

Confinement& Unit::confined() {
    if (!confinement) {
        confinement = std::make_unique<Confinement>();
    }
    return *confinement;
}

Timer& Unit::timed() {
    if (!timer) {
        timer = std::make_unique<Timer>();
    }
    return *timer;
}

void Unit::forget_names() {
    for (auto* names : {&required, &wanted, &after, &before, &conflicts}) {
        *names = {};
    }
}

Unit Unit::remainder() const {
    Unit rest;
    rest.name = name;
    rest.description = description;
    rest.type = type;
    rest.command = command;
    rest.post_stop = post_stop;
    rest.environment = environment;
    rest.user = user;
    rest.working_directory = working_directory;
    rest.stop_signal = stop_signal;
    rest.stop_timeout = stop_timeout;
    rest.kill = kill;
    rest.restart = RestartPolicy::never;
    rest.enabled = false;
    rest.leaving = true;
    return rest;
}

Result<Unit> parse_unit(std::string_view name, std::span<const UnitText> texts, const Expander& expand) {
    const auto values = read_values(texts);
    if (!values) {
        return std::unexpected(values.error());
    }
    Unit unit;
    unit.name = name;
    unit.fingerprint = 0xCBF2'9CE4'8422'2325U;
    const bool instance = !template_of(name).empty();
    for (const PendingValue& pending : *values) {
        const std::string value = instance ? fill_in_instance(name, pending.value) : pending.value;
        if (auto applied = apply_key(*pending.row, unit, value, expand); !applied) {
            return with_context(concat(texts[pending.text].path, ":", pending.line, ": ", pending.row->key),
                                applied.error());
        }
        if (asks_for_restart(*pending.row)) {
            mix(unit.fingerprint, pending.row->section);
            mix(unit.fingerprint, pending.row->key);
            mix(unit.fingerprint, value);
        }
    }
    if (auto checked = check_whole(unit); !checked) {
        return with_context(texts.empty() ? name : texts.front().path, checked.error());
    }
    return unit;
}

Result<Unit> parse_unit(std::string_view file, std::string_view text, const Expander& expand) {
    auto name = unit_name_of_file(file);
    if (!name) {
        return std::unexpected(name.error());
    }
    const UnitText whole{std::string(file), std::string(text)};
    return parse_unit(*name, std::span(&whole, 1), expand);
}

Result<std::vector<EffectiveKey>> effective_keys(std::string_view name, std::span<const UnitText> texts) {
    auto values = read_values(texts);
    if (!values) {
        return std::unexpected(values.error());
    }
    const bool instance = !template_of(name).empty();
    std::vector<EffectiveKey> keys;
    for (PendingValue& pending : *values) {
        keys.push_back({pending.row->section, pending.row->key,
                        instance ? fill_in_instance(name, pending.value) : std::move(pending.value),
                        concat(texts[pending.text].path, ":", pending.line)});
    }
    return keys;
}

Result<CommandLine> split_command(std::string_view text) {
    CommandLine arguments;
    std::string current;
    bool inside = false;
    char quote = '\0';
    for (std::size_t at = 0; at < text.size(); ++at) {
        const char letter = text[at];
        if (letter == '\\' && quote != '\'') {
            if (++at == text.size()) {
                return failure("a backslash at the end of the command takes nothing");
            }
            current += text[at];
            inside = true;
        } else if (quote != '\0') {
            if (letter == quote) {
                quote = '\0';
            } else {
                current += letter;
            }
        } else if (letter == '"' || letter == '\'') {
            quote = letter;
            inside = true;
        } else if (letter == ' ' || letter == '\t') {
            if (inside) {
                arguments.push_back(std::move(current));
                current.clear();
                inside = false;
            }
        } else {
            current += letter;
            inside = true;
        }
    }
    if (quote != '\0') {
        return failure(concat("the quote ", quote, " is not closed"));
    }
    if (inside) {
        arguments.push_back(std::move(current));
    }
    return arguments;
}

std::string unit_reference() {
    std::string page = "# Unit files\n\nMade from the table that reads them. One unit a file, `NAME.unit`.\n";
    std::string_view section;
    for (const auto table : unit_keys()) {
        for (const UnitKey& row : table) {
            if (row.section != section) {
                section = row.section;
                page += concat("\n## [", section, "]\n\n| key | value | meaning |\n| --- | --- | --- |\n");
            }
            page += concat("| `", row.key, "` | ", allowed_text(row), " | ", row.meaning, " |\n");
        }
    }
    return page;
}

}  // namespace thole
