// Calendar expressions of timers: when something is to happen, by weekday, date and time of day, always in UTC.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/error.hpp"

namespace thole {

/// What an expression allows: one bit a value of weekday, year, month, day, hour, minute and second, side by side.
struct Calendar {
    std::array<std::uint64_t, 7> allowed{};

    bool operator==(const Calendar&) const = default;
};

/// Reads `[WEEKDAYS] [DATE] [TIME]`, a small part of what systemd.time(7) describes, with the same meaning:
///   WEEKDAYS  Mon, Tuesday, Mon..Fri, Mon,Wed,Fri..Sun
///   DATE      YEAR-MONTH-DAY or MONTH-DAY, years from 1970 to 2199; without it every day
///   TIME      HOUR:MINUTE or HOUR:MINUTE:SECOND; without it 00:00:00
/// Each number is `*`, N, or N..M, with or without /STEP, or a list of these with commas; N/STEP goes on to the end.
/// One word stands for a usual expression: minutely, hourly, daily, weekly (Monday), monthly, yearly.
/// Errors say what was read, in which part, and what is allowed.
Result<Calendar> parse_calendar(std::string_view text);

/// The first allowed second after `unix_seconds` (seconds since 1970, UTC, no leap seconds); none where there is none
/// until the end of 2199, as for 02-30. At most some ten thousand steps.
std::optional<std::int64_t> next_after(const Calendar& calendar, std::int64_t unix_seconds);

}  // namespace thole
