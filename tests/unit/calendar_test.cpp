#include "supervisor/calendar.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <ctime>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "base/text.hpp"

using namespace thole;

namespace {

/// Seconds since 1970 of a date and time, by the C library: not our own arithmetic.
std::int64_t at(int year, int month, int day, int hour = 0, int minute = 0, int second = 0) {
    std::tm fields{};
    fields.tm_year = year - 1900;
    fields.tm_mon = month - 1;
    fields.tm_mday = day;
    fields.tm_hour = hour;
    fields.tm_min = minute;
    fields.tm_sec = second;
    return timegm(&fields);
}

std::tm fields_of(std::int64_t seconds) {
    const std::time_t time = seconds;
    std::tm fields{};
    gmtime_r(&time, &fields);
    return fields;
}

/// "2026-01-31 12:00:00", "never", or the error.
std::string next(std::string_view expression, std::int64_t after) {
    const auto calendar = parse_calendar(expression);
    if (!calendar) {
        return calendar.error().message;
    }
    const auto found = next_after(*calendar, after);
    if (!found) {
        return "never";
    }
    const std::tm fields = fields_of(*found);
    char text[64];
    return {text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &fields)};
}

std::string error_of(std::string_view expression) {
    const auto calendar = parse_calendar(expression);
    return calendar ? "right" : calendar.error().message;
}

/// xorshift64: the same numbers on every machine.
class Random {
   public:
    explicit Random(std::uint64_t seed) : state_(seed) {}

    int below(int limit) {
        state_ ^= state_ << 13U;
        state_ ^= state_ >> 7U;
        state_ ^= state_ << 17U;
        return static_cast<int>(state_ % static_cast<std::uint64_t>(limit));
    }

   private:
    std::uint64_t state_;
};

/// An expression's part as it is written, and the values that it means.
struct RandomList {
    std::string text;
    std::set<int> values;
};

RandomList random_item(Random& random, int least, int most) {
    RandomList item;
    int first = least + random.below(most - least + 1);
    int last = first;
    item.text = to_text(first);
    const int form = random.below(5);
    if (form == 0) {
        first = least;
        last = most;
        item.text = "*";
    } else if (form == 1) {
        last = first + random.below(most - first + 1);
        item.text += ".." + to_text(last);
    }
    int step = 1;
    if (random.below(3) == 0) {
        step = 1 + random.below(9);
        item.text += "/" + to_text(step);
        last = form <= 1 ? last : most;
    }
    for (int value = first; value <= last; value += step) {
        item.values.insert(value);
    }
    return item;
}

RandomList random_list(Random& random, int least, int most) {
    RandomList list = random_item(random, least, most);
    while (random.below(3) == 0) {
        const RandomList item = random_item(random, least, most);
        list.text += "," + item.text;
        list.values.insert(item.values.begin(), item.values.end());
    }
    return list;
}

struct RandomExpression {
    std::string text;
    std::set<int> weekdays;
    std::set<int> years;
    std::set<int> months;
    std::set<int> days;
    std::set<int> hours;
    std::set<int> minutes;
};

RandomExpression random_expression(Random& random) {
    static constexpr const char* kDays[] = {"Mon", "tue", "WED", "Thursday", "fri", "Sat", "sunday"};
    const int first = random.below(7);
    const int last = first + random.below(7 - first);
    const RandomList months = random_list(random, 1, 12);
    const RandomList days = random_list(random, 1, 31);
    const RandomList hours = random_list(random, 0, 23);
    const RandomList minutes = random_list(random, 0, 59);
    RandomExpression made;
    for (int day = first; day <= last; ++day) {
        made.weekdays.insert(day);
    }
    for (int year = 1970; year < 2200; ++year) {
        made.years.insert(year);
    }
    made.months = months.values;
    made.days = days.values;
    made.hours = hours.values;
    made.minutes = minutes.values;
    made.text =
        concat(kDays[first], "..", kDays[last], " ", months.text, "-", days.text, " ", hours.text, ":", minutes.text);
    return made;
}

bool day_matches(const RandomExpression& expression, const std::tm& fields) {
    return expression.weekdays.contains((fields.tm_wday + 6) % 7) && expression.months.contains(fields.tm_mon + 1) &&
           expression.days.contains(fields.tm_mday);
}

/// Every minute of a span that an expression allows, by looking at each.
std::vector<std::int64_t> by_minutes(const RandomExpression& expression, std::int64_t from, std::int64_t until) {
    std::vector<std::int64_t> found;
    for (std::int64_t day = from; day < until; day += 86'400) {
        if (!day_matches(expression, fields_of(day))) {
            continue;
        }
        for (std::int64_t minute = 0; minute < 1440; ++minute) {
            if (expression.hours.contains(static_cast<int>(minute / 60)) &&
                expression.minutes.contains(static_cast<int>(minute % 60))) {
                found.push_back(day + minute * 60);
            }
        }
    }
    return found;
}

}  // namespace

TEST_CASE("calendar: words and their expressions are the same") {
    const std::vector<std::pair<const char*, const char*>> pairs{
        {"minutely", "*:*"},           {"hourly", "*-*-* *:00:00"}, {"daily", "*-*-* 00:00:00"},
        {"weekly", "Mon 00:00"},       {"monthly", "*-*-01 00:00"}, {"yearly", "*-01-01"},
        {" daily ", "00:00"},          {"Mon", "monday *-*-*"},     {"Mon..Sun 5:00", "*-* 05:00:00"},
        {"*:0/15", "*:00,15,30,45"},   {"*:*/15", "*:0,15..45/15"}, {"Mon,Wed..Fri 1:2", "MON,wed,Thu,FRIDAY 01:02"},
        {"2026-1-2", "2026-01-02 0:0"}};
    for (const auto& [one, other] : pairs) {
        CAPTURE(one);
        REQUIRE(parse_calendar(one));
        REQUIRE(parse_calendar(other));
        CHECK(*parse_calendar(one) == *parse_calendar(other));
    }
    CHECK(*parse_calendar("hourly") != *parse_calendar("daily"));
}

TEST_CASE("calendar: the next time is after the given one, never it") {
    const std::int64_t now = at(2026, 11, 21, 12, 30, 0);  // a Saturday
    CHECK(next("12:30", now - 1) == "2026-11-21 12:30:00");
    CHECK(next("12:30", now) == "2026-11-22 12:30:00");
    CHECK(next("minutely", now) == "2026-11-21 12:31:00");
    CHECK(next("hourly", now) == "2026-11-21 13:00:00");
    CHECK(next("*:15", now) == "2026-11-21 13:15:00");
    CHECK(next("daily", now) == "2026-11-22 00:00:00");
    CHECK(next("weekly", now) == "2026-11-23 00:00:00");
    CHECK(next("monthly", now) == "2026-12-01 00:00:00");
    CHECK(next("yearly", now) == "2027-01-01 00:00:00");
    CHECK(next("*:*:30", now) == "2026-11-21 12:30:30");
    CHECK(next("Mon,Wed..Fri 18:00", now) == "2026-11-23 18:00:00");
    CHECK(next("Sat 12:30", now) == "2026-11-28 12:30:00");
    CHECK(next("Sat *-*-1..7 18:00", now) == "2026-12-05 18:00:00");
    CHECK(next("2027-03-04 05:06", now) == "2027-03-04 05:06:00");
    CHECK(next("2026-11-21 12:30", now) == "never");
    CHECK(next("2025-01-01", now) == "never");
}

TEST_CASE("calendar: leap years and the ends of months and years") {
    CHECK(next("02-29", at(2025, 3, 1)) == "2028-02-29 00:00:00");
    CHECK(next("02-29 12:00", at(2096, 3, 1)) == "2104-02-29 12:00:00");  // 2100 is none
    CHECK(next("02-29", at(1999, 12, 31)) == "2000-02-29 00:00:00");      // 2000 is one
    CHECK(next("Mon 02-29", at(2025, 1, 1)) == "2044-02-29 00:00:00");
    CHECK(next("*-31", at(2026, 1, 31)) == "2026-03-31 00:00:00");
    CHECK(next("minutely", at(2026, 12, 31, 23, 59, 0)) == "2027-01-01 00:00:00");
    CHECK(next("*:*:*", at(2024, 2, 28, 23, 59, 59)) == "2024-02-29 00:00:00");
    CHECK(next("*:*:*", at(2023, 2, 28, 23, 59, 59)) == "2023-03-01 00:00:00");
}

TEST_CASE("calendar: every hour comes once a day, for UTC knows no summer time") {
    const auto hourly = parse_calendar("hourly");
    REQUIRE(hourly);
    const std::int64_t start = at(2026, 1, 1);
    for (std::int64_t hour = 0; hour < 8760; ++hour) {
        REQUIRE(next_after(*hourly, start + hour * 3600).value_or(-1) == start + (hour + 1) * 3600);
    }
}

TEST_CASE("calendar: what can never come, the first second and the last") {
    constexpr std::int64_t kLast = std::numeric_limits<std::int64_t>::max();
    for (const char* never : {"02-30", "2,4,6-31", "Mon 2026-01-01", "2026-02-29", "*-2-30,31 *:*:*"}) {
        CHECK(next(never, 0) == "never");
    }
    CHECK(next("daily", -1) == "1970-01-01 00:00:00");
    CHECK(next("daily", std::numeric_limits<std::int64_t>::min()) == "1970-01-01 00:00:00");
    CHECK(next("daily", 0) == "1970-01-02 00:00:00");
    CHECK(next("*:*:*", at(2199, 12, 31, 23, 59, 58)) == "2199-12-31 23:59:59");
    CHECK(next("*:*:*", at(2199, 12, 31, 23, 59, 59)) == "never");
    CHECK(next("2199-12-31 23:59:59", 0) == "2199-12-31 23:59:59");
    CHECK(next("daily", kLast) == "never");
    CHECK(next("daily", kLast - 1) == "never");
}

TEST_CASE("calendar: an error says what was read, in which part, and what is allowed") {
    CHECK(error_of("25:00") == "'25:00': hour: '25' is not a whole number from 0 to 23");
    CHECK(error_of("Mon 2026-13-01") == "'Mon 2026-13-01': month: '13' is not a whole number from 1 to 12");
    CHECK(error_of("12:30..20") == "'12:30..20': minute: '30..20' runs backwards");
    CHECK(error_of("Sat..Mon") == "'Sat..Mon': weekday: 'Sat..Mon' runs backwards");
    CHECK(error_of("dialy").find("'dialy' is not Mon, Tue") != std::string::npos);
    CHECK(error_of("dialy").find("daily") != std::string::npos);
    CHECK(error_of("12:00 Mon").find("'Mon' is not the part") != std::string::npos);
    CHECK(error_of("").find("[WEEKDAYS] [DATE] [TIME]") != std::string::npos);
    for (const char* wrong : {"*",
                              "12",
                              "12:",
                              ":",
                              "1:2:3:4",
                              "1-2-3-4",
                              "-",
                              "--",
                              "1969-01-01",
                              "2200-01-01",
                              "*-0",
                              "*-32",
                              "24:00",
                              "0:60",
                              "0:0:60",
                              "*:1,",
                              "*:,1",
                              "*:1..",
                              "*:..1",
                              "*:1/0",
                              "*:1/",
                              "*:/5",
                              "*:1/99",
                              "*:-1",
                              "*:+1",
                              "Mo",
                              "Mond",
                              "Mon,",
                              "Mon Tue",
                              "Mon..",
                              "daily hourly",
                              "daily 12:00",
                              "Mon Mon 1:00",
                              "1:00 1:00",
                              "*:**",
                              "99999999999999999999:00",
                              "*-*-* 1:00 UTC"}) {
        CAPTURE(wrong);
        CHECK(!parse_calendar(wrong));
    }
}

TEST_CASE("calendar: the same times as looking at every minute of years") {
    Random random(20'260'131);
    const std::int64_t from = at(2095, 1, 1);  // 2096 is a leap year, 2100 is not
    const std::int64_t until = at(2101, 1, 1);
    for (int round = 0; round < 120; ++round) {
        const RandomExpression expression = random_expression(random);
        CAPTURE(expression.text);
        const auto calendar = parse_calendar(expression.text);
        REQUIRE(calendar);
        const std::vector<std::int64_t> expected = by_minutes(expression, from, until);
        std::int64_t time = from - 1;
        std::size_t count = 0;
        while (count < expected.size() && count < 10'000) {
            time = next_after(*calendar, time).value_or(-1);
            if (time != expected[count]) {
                break;
            }
            ++count;
        }
        REQUIRE(count == std::min<std::size_t>(expected.size(), 10'000));
        for (int probe = 0; probe < 100 && !expected.empty(); ++probe) {
            const std::int64_t after = from + random.below(static_cast<int>(expected.back() - from));
            const auto wanted = std::ranges::upper_bound(expected, after);
            REQUIRE(next_after(*calendar, after).value_or(-1) == *wanted);
        }
    }
}
