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

Result<std::string> name_from_file(std::string_view file) {
    constexpr std::string_view kSuffix = ".unit";
    std::string_view name = file.substr(file.rfind('/') + 1);
    if (!name.ends_with(kSuffix)) {
        return failure(concat(file, ": a unit's file is called NAME.unit"));
    }
    name.remove_suffix(kSuffix.size());
    if (name.empty() || name.size() > 64 || name[0] == '.' || !std::ranges::all_of(name, is_name_character)) {
        return failure(concat(file, ": a unit's name has 1 to 64 letters, digits, '-', '_', '.' or '@'"));
    }
    return std::string(name);
}

const UnitKey* find_key(std::string_view section, std::string_view key) {
    const auto table = unit_keys();
    const auto row = std::ranges::find_if(
        table, [&](const UnitKey& candidate) { return candidate.section == section && candidate.key == key; });
    return row == table.end() ? nullptr : &*row;
}

std::unexpected<Error> unknown_key(std::string_view section, std::string_view key) {
    std::vector<std::string_view> sections;
    std::vector<std::string_view> keys;
    for (const UnitKey& row : unit_keys()) {
        sections.push_back(row.section);
        if (row.section == section) {
            keys.push_back(row.key);
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
    int line = 0;
};

/// Joins indented continuation lines (entries that repeat a key) and refuses a single value that is given twice.
Status add_value(std::vector<PendingValue>& values, const UnitKey* row, const IniEntry& entry) {
    if (row->form == UnitKey::Form::each) {
        values.push_back({row, std::string(entry.value), entry.line});
        return {};
    }
    const auto earlier = std::ranges::find(values, row, &PendingValue::row);
    if (earlier == values.end()) {
        values.push_back({row, std::string(entry.value), entry.line});
        return {};
    }
    if (row->form == UnitKey::Form::single) {
        return failure(concat("'", row->key, "' is given twice; the first is in line ", earlier->line));
    }
    earlier->value += ' ';
    earlier->value += entry.value;
    return {};
}

Status check_whole(const Unit& unit) {
    if (unit.command.empty()) {
        return failure("there is no 'command' in [service]");
    }
    const bool wants_target = unit.readiness == Readiness::tcp || unit.readiness == Readiness::unix_socket ||
                              unit.readiness == Readiness::exec;
    if (wants_target && unit.readiness_target.empty()) {
        return failure(concat("readiness '", to_text(unit.readiness), "' needs a 'readiness-target'"));
    }
    if (!wants_target && !unit.readiness_target.empty()) {
        return failure(concat("'readiness-target' says nothing with readiness '", to_text(unit.readiness), "'"));
    }
    if (unit.type == ServiceType::oneshot && unit.readiness != Readiness::started) {
        return failure("a oneshot is ready when its command has ended with 0; 'readiness' is not for it");
    }
    if (unit.type == ServiceType::oneshot && unit.restart == RestartPolicy::always) {
        return failure("'restart = always' would run a oneshot again and again; use on-failure or never");
    }
    return {};
}

}  // namespace

Result<Unit> parse_unit(std::string_view file, std::string_view text, const Expander& expand) {
    auto name = name_from_file(file);
    if (!name) {
        return std::unexpected(name.error());
    }
    std::vector<PendingValue> values;
    const auto read = parse_ini(file, text, [&](const IniEntry& entry) -> Status {
        const UnitKey* row = find_key(entry.section, entry.key);
        return row == nullptr ? unknown_key(entry.section, entry.key) : add_value(values, row, entry);
    });
    if (!read) {
        return std::unexpected(read.error());
    }
    Unit unit;
    unit.name = std::move(*name);
    for (const PendingValue& pending : values) {
        if (auto applied = pending.row->apply(unit, pending.value, expand); !applied) {
            return with_context(concat(file, ":", pending.line, ": ", pending.row->key), applied.error());
        }
    }
    if (auto checked = check_whole(unit); !checked) {
        return with_context(file, checked.error());
    }
    return unit;
}

Result<std::vector<std::string>> split_command(std::string_view text) {
    std::vector<std::string> arguments;
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
    for (const UnitKey& row : unit_keys()) {
        if (row.section != section) {
            section = row.section;
            page += concat("\n## [", section, "]\n\n| key | value | meaning |\n| --- | --- | --- |\n");
        }
        page += concat("| `", row.key, "` | ", row.allowed, " | ", row.meaning, " |\n");
    }
    return page;
}

}  // namespace thole
