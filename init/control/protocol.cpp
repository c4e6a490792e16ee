#include "control/protocol.hpp"

#include <iterator>
#include <limits>

#include "base/text.hpp"

namespace thole {

namespace {

/// A field of UnitStatus: its name on the wire and one of the three kinds of member.
struct Field {
    std::string_view name;
    std::string UnitStatus::* text = nullptr;
    std::int64_t UnitStatus::* number = nullptr;
    bool UnitStatus::* flag = nullptr;
};

constexpr Field kFields[] = {
    {"name", &UnitStatus::name},
    {"state", &UnitStatus::state},
    {"pid", nullptr, &UnitStatus::pid},
    {"since", nullptr, &UnitStatus::since},
    {"started", nullptr, &UnitStatus::started},
    {"took", nullptr, &UnitStatus::took},
    {"restarts", nullptr, &UnitStatus::restarts},
    {"next", nullptr, &UnitStatus::next},
    {"exit", &UnitStatus::exit},
    {"oom", nullptr, nullptr, &UnitStatus::oom},
    {"enabled", nullptr, nullptr, &UnitStatus::enabled},
    {"failed-by", &UnitStatus::failed_by},
    {"description", &UnitStatus::description},
    {"status", &UnitStatus::status},
    {"reason", &UnitStatus::reason},
};

constexpr unsigned kAllFields = (1U << std::size(kFields)) - 1;

Status set_field(UnitStatus& unit, const Field& field, std::string_view value) {
    if (field.text != nullptr) {
        unit.*field.text = value;
        return {};
    }
    const auto number = parse_integer(value, field.flag != nullptr ? 0 : -1,
                                      field.flag != nullptr ? 1 : std::numeric_limits<std::int64_t>::max());
    if (!number) {
        return with_context(field.name, number.error());
    }
    if (field.flag != nullptr) {
        unit.*field.flag = *number != 0;
    } else {
        unit.*field.number = *number;
    }
    return {};
}

/// The place of the field's row in the table, or the table's size.
std::size_t row_of(std::string_view name) {
    std::size_t row = 0;
    while (row < std::size(kFields) && kFields[row].name != name) {
        ++row;
    }
    return row;
}

Status decode_line(std::string_view line, UnitStatus& unit) {
    unsigned seen = 0;
    for (const std::string_view field : split(line, '\t')) {
        const auto equals = field.find('=');
        if (equals == std::string_view::npos) {
            return failure(concat("'", field.substr(0, 64), "' is not NAME=VALUE"));
        }
        const std::size_t row = row_of(field.substr(0, equals));
        if (row == std::size(kFields)) {
            continue;
        }
        if ((seen & (1U << row)) != 0) {
            return failure(concat("'", kFields[row].name, "' is given twice"));
        }
        seen |= 1U << row;
        if (auto set = set_field(unit, kFields[row], field.substr(equals + 1)); !set) {
            return set;
        }
    }
    for (std::size_t row = 0; seen != kAllFields && row < std::size(kFields); ++row) {
        if ((seen & (1U << row)) == 0) {
            return failure(concat("'", kFields[row].name, "' is missing: is `thole` of another version than PID 1?"));
        }
    }
    return unit.name.empty() ? Status(failure("a unit without a name")) : Status();
}

void append_field(std::string& out, std::string_view text) {
    for (const char letter : text) {
        const auto byte = static_cast<unsigned char>(letter);
        out += byte < 0x20 || byte == 0x7F ? ' ' : letter;
    }
}

}  // namespace

UnitStatus::UnitStatus() = default;
UnitStatus::UnitStatus(const UnitStatus& other) = default;
UnitStatus::UnitStatus(UnitStatus&& other) noexcept = default;
UnitStatus& UnitStatus::operator=(const UnitStatus& other) = default;
UnitStatus& UnitStatus::operator=(UnitStatus&& other) noexcept = default;
UnitStatus::~UnitStatus() = default;

std::string one_field(std::string_view text) {
    std::string out;
    append_field(out, text);
    return out;
}

std::string encode(const UnitStatus& status) {
    std::string line;
    line.reserve(256);
    for (const Field& field : kFields) {
        if (!line.empty()) {
            line += '\t';
        }
        line += field.name;
        line += '=';
        if (field.text != nullptr) {
            append_field(line, status.*field.text);
        } else {
            line += to_text(field.flag != nullptr ? std::int64_t{status.*field.flag} : status.*field.number);
        }
    }
    return line += '\n';
}

std::string encode(const UnitEvent& event) {
    return concat(event.at, '\t', one_field(event.name), '\t', one_field(event.state), '\t', one_field(event.reason),
                  '\n');
}

Result<std::vector<UnitStatus>> decode(std::string_view body) {
    std::vector<UnitStatus> units;
    std::int64_t number = 0;
    for (const std::string_view line : split(body, '\n')) {
        ++number;
        if (line.empty()) {
            continue;
        }
        if (auto read = decode_line(line, units.emplace_back()); !read) {
            return with_context(concat("PID 1's status, line ", number), read.error());
        }
    }
    return units;
}

Result<UnitEvent> decode_event(std::string_view line) {
    const auto fields = split(line, '\t');
    if (fields.size() != 4 || fields[1].empty()) {
        return failure(concat("PID 1's events: '", line.substr(0, 64), "' is not TIME, NAME, STATE and REASON"));
    }
    const auto at = parse_integer(fields[0], 0, std::numeric_limits<std::int64_t>::max());
    if (!at) {
        return with_context("PID 1's events", at.error());
    }
    return UnitEvent{*at, std::string(fields[1]), std::string(fields[2]), std::string(fields[3])};
}

std::string_view info_value(std::string_view info, std::string_view name) {
    for (const std::string_view line : split(info, '\n')) {
        if (line.size() > name.size() && line.starts_with(name) && line[name.size()] == '=') {
            return line.substr(name.size() + 1);
        }
    }
    return {};
}

std::string_view program_version() { return THOLE_VERSION; }

}  // namespace thole
