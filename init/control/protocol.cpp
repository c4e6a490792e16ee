#include "control/protocol.hpp"

#include <algorithm>
#include <limits>

#include "base/text.hpp"

namespace thole {

namespace {

constexpr std::size_t kFields = 8;

/// Free text must not look like the end of a field or of a line.
std::string one_field(std::string text) {
    std::ranges::replace_if(text, [](char letter) { return letter == '\t' || letter == '\n' || letter == '\r'; }, ' ');
    return text;
}

}  // namespace

std::string encode(const UnitStatus& status) {
    return concat(status.name, "\t", status.state, "\t", status.pid, "\t", status.since, "\t", status.took, "\t",
                  status.restarts, "\t", one_field(status.description), "\t", one_field(status.reason), "\n");
}

Result<std::vector<UnitStatus>> decode(std::string_view body) {
    std::vector<UnitStatus> all;
    for (const auto line : split(body, '\n')) {
        if (line.empty()) {
            continue;
        }
        const auto fields = split(line, '\t');
        if (fields.size() != kFields) {
            return failure(concat("PID 1 answered with a line of ", static_cast<std::int64_t>(fields.size()),
                                  " fields instead of ", static_cast<std::int64_t>(kFields),
                                  ": is `thole` of another version?"));
        }
        UnitStatus status;
        status.name = fields[0];
        status.state = fields[1];
        std::int64_t* const numbers[] = {&status.pid, &status.since, &status.took, &status.restarts};
        for (std::size_t at = 0; at < 4; ++at) {
            const auto number = parse_integer(fields[at + 2], -1, std::numeric_limits<std::int64_t>::max());
            if (!number) {
                return std::unexpected(number.error());
            }
            *numbers[at] = *number;
        }
        status.description = fields[6];
        status.reason = fields[7];
        all.push_back(std::move(status));
    }
    return all;
}

}  // namespace thole
