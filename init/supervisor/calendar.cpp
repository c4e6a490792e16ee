#include "supervisor/calendar.hpp"

#include <algorithm>
#include <cstddef>
#include <span>

#include "base/text.hpp"

namespace thole {

namespace {

/// A part of a date or time: its least and greatest value, and where its bits begin in Calendar::allowed.
struct Part {
    std::string_view name;
    std::int16_t least;
    std::int16_t most;
    std::int16_t bits;
};

enum : std::size_t { kYear, kMonth, kDay, kHour, kMinute, kSecond, kWeekday, kParts };

constexpr std::array<Part, kParts> kPart{{{"year", 1970, 2199, 0},
                                          {"month", 1, 12, 230},
                                          {"day", 1, 31, 242},
                                          {"hour", 0, 23, 273},
                                          {"minute", 0, 59, 297},
                                          {"second", 0, 59, 357},
                                          {"weekday", 0, 6, 417}}};
static_assert(417 + 7 <= sizeof(Calendar::allowed) * 8);

constexpr std::array<std::string_view, 7> kWeekdays{"monday", "tuesday",  "wednesday", "thursday",
                                                    "friday", "saturday", "sunday"};

struct Shorthand {
    std::string_view word;
    std::string_view expression;
};

constexpr std::array<Shorthand, 6> kShorthands{{{"minutely", "*:*"},
                                                {"hourly", "*:0"},
                                                {"daily", "0:0"},
                                                {"weekly", "mon"},
                                                {"monthly", "*-1"},
                                                {"yearly", "1-1"}}};

constexpr std::int64_t kSecondsOfDay = 86'400;

// Dates of the Gregorian calendar.

bool is_leap(int year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

/// Days from 1970-01-01 to the first day of a month; the 13th month is the next year's first.
int days_before(int year, int month) {
    const int past = year - 1;
    const int years = 365 * (year - 1970) + (past / 4 - past / 100 + past / 400) - (1969 / 4 - 1969 / 100 + 1969 / 400);
    // The months' lengths repeat 31, 30 as 367/12 rounded does, were February not shorter.
    const int short_of = month <= 2 ? 0 : is_leap(year) ? 1 : 2;
    return years + (367 * month - 362) / 12 - short_of;
}

int days_of_month(int year, int month) { return days_before(year, month + 1) - days_before(year, month); }

// The search.

/// Values of the parts but the weekday, which follows from them.
using Moment = std::array<int, kWeekday>;

Moment moment_of(std::int64_t unix_seconds) {
    const int days = static_cast<int>(unix_seconds / kSecondsOfDay);
    const int seconds = static_cast<int>(unix_seconds % kSecondsOfDay);
    int year = 1970 + days / 366;
    while (days_before(year + 1, 1) <= days) {
        ++year;
    }
    int month = 1;
    while (days_before(year, month + 1) <= days) {
        ++month;
    }
    return {year, month, days - days_before(year, month) + 1, seconds / 3600, seconds / 60 % 60, seconds % 60};
}

int day_number(const Moment& moment) { return days_before(moment[kYear], moment[kMonth]) + moment[kDay] - 1; }

std::size_t bit_of(std::size_t part, int value) {
    return static_cast<std::size_t>(kPart[part].bits + value - kPart[part].least);
}

bool allows(const Calendar& calendar, std::size_t part, int value) {
    const std::size_t bit = bit_of(part, value);
    return ((calendar.allowed[bit / 64] >> (bit % 64)) & 1U) != 0;
}

bool is_right(const Calendar& calendar, const Moment& moment, std::size_t part) {
    if (!allows(calendar, part, moment[part])) {
        return false;
    }
    // 1970-01-01 was a Thursday.
    return part != kDay || (moment[kDay] <= days_of_month(moment[kYear], moment[kMonth]) &&
                            allows(calendar, kWeekday, (day_number(moment) + 3) % 7));
}

/// Counts a part up by one, carries where it passes its greatest value, and puts all after it to their least; false
/// after the last year.
bool advance(Moment& moment, std::size_t part) {
    for (std::size_t later = part + 1; later < moment.size(); ++later) {
        moment[later] = kPart[later].least;
    }
    while (moment[part] == kPart[part].most) {
        if (part == kYear) {
            return false;
        }
        moment[part] = kPart[part].least;
        --part;
    }
    ++moment[part];
    return true;
}

// Reading.

char lower(char letter) { return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter; }

Status read_weekday(std::string_view word, std::int64_t& out) {
    for (std::size_t day = 0; day < kWeekdays.size(); ++day) {
        const std::string_view name = kWeekdays[day].substr(0, word.size() == 3 ? 3 : std::string_view::npos);
        if (std::ranges::equal(word, name, {}, lower)) {
            out = static_cast<std::int64_t>(day);
            return {};
        }
    }
    return failure(concat("'", word,
                          "' is not Mon, Tue, Wed, Thu, Fri, Sat or Sun, nor minutely, hourly, daily, weekly, ",
                          "monthly or yearly alone"));
}

Status read_number(std::string_view word, std::int64_t least, std::int64_t most, std::int64_t& out) {
    const auto number = parse_integer(word, least, most);
    if (!number) {
        return std::unexpected(number.error());
    }
    out = *number;
    return {};
}

Status read_value(std::size_t part, std::string_view word, std::int64_t& out) {
    return part == kWeekday ? read_weekday(word, out) : read_number(word, kPart[part].least, kPart[part].most, out);
}

/// Reads `*`, N or N..M; an N that a step follows goes on to the end.
Status read_range(std::size_t part, std::string_view range, bool stepped, std::int64_t& first, std::int64_t& last) {
    first = kPart[part].least;
    last = kPart[part].most;
    if (range == "*") {
        return {};
    }
    const auto dots = range.find("..");
    Status read = read_value(part, range.substr(0, dots), first);
    if (read && dots != std::string_view::npos) {
        read = read_value(part, range.substr(dots + 2), last);
    } else if (!stepped) {
        last = first;
    }
    if (read && first > last) {
        return failure(concat("'", range, "' runs backwards"));
    }
    return read;
}

/// Allows the values of one item of a list: a range, with or without /STEP.
Status allow_item(Calendar& calendar, std::size_t part, std::string_view item) {
    const auto slash = item.find('/');
    const bool stepped = slash != std::string_view::npos;
    std::int64_t first = 0;
    std::int64_t last = 0;
    std::int64_t step = 1;
    Status read = read_range(part, item.substr(0, slash), stepped, first, last);
    if (read && stepped) {
        read = read_number(item.substr(slash + 1), 1, kPart[part].most, step);
    }
    for (std::int64_t value = first; read && value <= last; value += step) {
        const std::size_t bit = bit_of(part, static_cast<int>(value));
        calendar.allowed[bit / 64] |= std::uint64_t{1} << (bit % 64);
    }
    return read;
}

Status allow_list(Calendar& calendar, std::size_t part, std::string_view list) {
    for (const auto item : split(list, ',')) {
        if (auto done = allow_item(calendar, part, item); !done) {
            return with_context(kPart[part].name, done.error());
        }
    }
    return {};
}

bool is_letter(char letter) { return lower(letter) >= 'a' && lower(letter) <= 'z'; }

std::string_view without_shorthand(std::string_view text) {
    for (const Shorthand& shorthand : kShorthands) {
        if (text == shorthand.word) {
            return shorthand.expression;
        }
    }
    return text;
}

using Lists = std::array<std::string_view, kParts>;

/// Takes the first of the words where it is a date (separator '-') or a time (':'): of both, three parts, of which a
/// date may leave out the first and a time the last.
void take_word(std::span<const std::string_view>& words, char separator, Lists& lists) {
    if (words.empty()) {
        return;
    }
    const auto pieces = split(words.front(), separator);
    if (pieces.size() != 2 && pieces.size() != 3) {
        return;
    }
    std::size_t part = separator == ':' ? kHour : kHour - pieces.size();
    for (const auto piece : pieces) {
        lists[part++] = piece;
    }
    words = words.subspan(1);
}

}  // namespace

Result<Calendar> parse_calendar(std::string_view text) {
    Lists lists{"*", "*", "*", "0", "0", "0", "*"};
    const auto all_words = split_words(without_shorthand(trim(text)));
    std::span<const std::string_view> words = all_words;
    if (!words.empty() && is_letter(words.front().front())) {
        lists[kWeekday] = words.front();
        words = words.subspan(1);
    }
    take_word(words, '-', lists);
    take_word(words, ':', lists);
    if (!words.empty() || all_words.empty()) {
        return failure(concat("'", words.empty() ? text : words.front(),
                              "' is not the part of '[WEEKDAYS] [DATE] [TIME]' ",
                              "that is due there, such as 'Mon..Fri *-*-1..7 18:00' (UTC)"));
    }
    Calendar calendar;
    for (std::size_t part = 0; part < kParts; ++part) {
        if (auto read = allow_list(calendar, part, lists[part]); !read) {
            return with_context(concat("'", trim(text), "'"), read.error());
        }
    }
    return calendar;
}

std::optional<std::int64_t> next_after(const Calendar& calendar, std::int64_t unix_seconds) {
    if (unix_seconds >= days_before(kPart[kYear].most + 1, 1) * kSecondsOfDay - 1) {
        return std::nullopt;
    }
    Moment moment = moment_of(std::max<std::int64_t>(unix_seconds + 1, 0));
    std::size_t part = kYear;
    while (part < moment.size()) {
        if (is_right(calendar, moment, part)) {
            ++part;
            continue;
        }
        if (!advance(moment, part)) {
            return std::nullopt;
        }
        part = kYear;  // what was carried into is looked at again
    }
    const int seconds = moment[kHour] * 3600 + moment[kMinute] * 60 + moment[kSecond];
    return day_number(moment) * kSecondsOfDay + seconds;
}

}  // namespace thole
