#include "log/log_line.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <ctime>

#include "base/text.hpp"
#include "os/clock.hpp"

namespace thole {

namespace {

constexpr std::int64_t kDay = 86'400'000;
constexpr std::size_t kTimeText = 24;  // characters of time_text()
constexpr std::string_view kMarker = "-- boot ";

/// Days since 1970 of a date in the Gregorian calendar, and back: years begin in March, eras have 400 years.
std::int64_t days_of(std::int64_t year, std::int64_t month, std::int64_t day) {
    const std::int64_t shifted = month > 2 ? year : year - 1;
    const std::int64_t era = shifted / 400;
    const std::int64_t year_of_era = shifted - era * 400;
    const std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146'097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719'468;
}

void put_digits(char* at, std::size_t width, std::int64_t number) {
    while (width > 0) {
        at[--width] = static_cast<char>('0' + number % 10);
        number /= 10;
    }
}

void put_time(char* at, std::int64_t wall) {
    wall = std::clamp<std::int64_t>(wall, 0, 253'402'300'799'999);  // to the end of the year 9999
    const std::int64_t days = wall / kDay + 719'468;
    const std::int64_t era = days / 146'097;
    const std::int64_t day_of_era = days - era * 146'097;
    const std::int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
    const std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const std::int64_t shifted = (5 * day_of_year + 2) / 153;
    const std::int64_t month = shifted < 10 ? shifted + 3 : shifted - 9;
    std::memcpy(at, "0000-00-00T00:00:00.000Z", kTimeText);
    put_digits(at, 4, year_of_era + era * 400 + (month <= 2 ? 1 : 0));
    put_digits(at + 5, 2, month);
    put_digits(at + 8, 2, day_of_year - (153 * shifted + 2) / 5 + 1);
    const std::int64_t time = wall % kDay;
    put_digits(at + 11, 2, time / 3'600'000);
    put_digits(at + 14, 2, time / 60'000 % 60);
    put_digits(at + 17, 2, time / 1000 % 60);
    put_digits(at + 20, 3, time % 1000);
}

/// A number of exactly `width` digits from the front of `text`, -1 where it is none.
std::int64_t take_digits(std::string_view& text, std::size_t width) {
    if (text.size() < width ||
        !std::ranges::all_of(text.substr(0, width), [](char c) { return c >= '0' && c <= '9'; })) {
        return -1;
    }
    std::int64_t number = 0;
    for (std::size_t at = 0; at < width; ++at) {
        number = number * 10 + (text[at] - '0');
    }
    text.remove_prefix(width);
    return number;
}

bool take_letter(std::string_view& text, char letter) {
    const bool there = text.starts_with(letter);
    text.remove_prefix(there ? 1 : 0);
    return there;
}

/// "HH:MM[:SS[.mmm]]" from the front, in milliseconds, -1 where it is none.
std::int64_t take_clock(std::string_view& text) {
    const std::int64_t hours = take_digits(text, 2);
    const bool colon = take_letter(text, ':');
    const std::int64_t minutes = take_digits(text, 2);
    if (hours < 0 || hours > 23 || !colon || minutes < 0 || minutes > 59) {
        return -1;
    }
    std::int64_t time = (hours * 60 + minutes) * 60'000;
    if (take_letter(text, ':')) {
        const std::int64_t seconds = take_digits(text, 2);
        if (seconds < 0 || seconds > 60) {
            return -1;
        }
        time += seconds * 1000;
        if (take_letter(text, '.')) {
            const std::size_t width = std::min<std::size_t>(text.find_first_not_of("0123456789"), text.size());
            std::int64_t fraction = take_digits(text, std::min<std::size_t>(width, 3));
            text.remove_prefix(width > 3 ? width - 3 : 0);
            for (std::size_t scale = width; scale < 3; ++scale) {
                fraction *= 10;
            }
            time += fraction;
        }
    }
    take_letter(text, 'Z');
    return time;
}

/// "YYYY-MM-DD" from the front, in milliseconds since 1970, -1 where it is none.
std::int64_t take_date(std::string_view& text) {
    const std::int64_t year = take_digits(text, 4);
    bool whole = take_letter(text, '-');
    const std::int64_t month = take_digits(text, 2);
    whole = take_letter(text, '-') && whole;
    const std::int64_t day = take_digits(text, 2);
    if (!whole || year < 1970 || month < 1 || month > 12 || day < 1 || day > 31) {
        return -1;
    }
    return days_of(year, month, day) * kDay;
}

}  // namespace

LogTime LogTime::now() {
    timespec wall{};
    ::clock_gettime(CLOCK_REALTIME, &wall);
    return {static_cast<std::int64_t>(wall.tv_sec) * 1000 + wall.tv_nsec / 1'000'000, thole::now().milliseconds};
}

std::string time_text(std::int64_t wall) {
    std::array<char, kTimeText> text;
    put_time(text.data(), wall);
    return {text.data(), text.size()};
}

std::string stamp_text(LogTime time) {
    std::string seconds = to_text(time.boot / 1000);
    if (seconds.size() < 5) {
        seconds.insert(0, 5 - seconds.size(), ' ');
    }
    std::array<char, 3> rest;
    put_digits(rest.data(), rest.size(), time.boot % 1000);
    return concat(time_text(time.wall), " [", seconds, ".", std::string_view(rest.data(), rest.size()), "] ");
}

std::optional<std::int64_t> parse_time(std::string_view text, std::int64_t today) {
    std::int64_t day = today / kDay * kDay;
    if (text.size() >= 5 && text[4] == '-') {
        day = take_date(text);
        if (day < 0) {
            return std::nullopt;
        }
        if (text.empty()) {
            return day;
        }
        if (!take_letter(text, 'T') && !take_letter(text, ' ')) {
            return std::nullopt;
        }
    }
    const std::int64_t clock = take_clock(text);
    return clock < 0 || !text.empty() ? std::nullopt : std::optional(day + clock);
}

std::optional<StampedLine> parse_line(std::string_view line) {
    constexpr std::string_view kOpen = " [";
    const auto close = line.find("] ", kTimeText);
    if (close == std::string_view::npos || line.substr(kTimeText, kOpen.size()) != kOpen) {
        return std::nullopt;
    }
    const auto wall = parse_time(line.substr(0, kTimeText), 0);
    const auto boot = trim(line.substr(kTimeText + kOpen.size(), close - kTimeText - kOpen.size()));
    const auto point = boot.find('.');
    if (!wall || point == std::string_view::npos) {
        return std::nullopt;
    }
    const auto seconds = parse_integer(boot.substr(0, point), 0, INT64_C(1) << 40);
    std::string_view rest = boot.substr(point + 1);
    const std::int64_t thousandths = take_digits(rest, 3);
    if (!seconds || thousandths < 0) {
        return std::nullopt;
    }
    return StampedLine{{*wall, *seconds * 1000 + thousandths}, line.substr(close + 2)};
}

std::string boot_marker(std::string_view identity, std::int64_t wall) {
    return concat(kMarker, identity.empty() ? "unknown" : identity, " ", time_text(wall), "\n");
}

std::string_view marked_boot(std::string_view line) {
    if (!line.starts_with(kMarker)) {
        return {};
    }
    line.remove_prefix(kMarker.size());
    return line.substr(0, line.find(' '));
}

std::size_t stamp_lines(std::string_view& lines, LogTime time, std::size_t limit, std::string& out) {
    const std::string stamp = stamp_text(time);
    std::size_t count = 0;
    while (!lines.empty() && out.size() < limit) {
        const std::size_t size = std::min(lines.find('\n'), lines.size() - 1) + 1;
        out += stamp;
        out += lines.substr(0, size);
        lines.remove_prefix(size);
        ++count;
    }
    return count;
}

std::size_t count_lines(std::string_view text) { return static_cast<std::size_t>(std::ranges::count(text, '\n')); }

void LineCutter::take(std::string_view bytes, std::string& out) {
    while (!bytes.empty()) {
        const std::size_t end = std::min(bytes.find('\n'), bytes.size());
        const std::string_view piece = bytes.substr(0, std::min(end, kLongestLine - partial_.size()));
        bytes.remove_prefix(piece.size());
        const bool ends = bytes.starts_with('\n');
        if (!ends && bytes.empty()) {
            partial_ += piece;
            return;
        }
        bytes.remove_prefix(ends ? 1 : 0);
        out += partial_;
        out += piece;
        out += '\n';
        partial_ = std::string();  // gives its memory back
    }
}

void LineCutter::finish(std::string& out) {
    if (!partial_.empty()) {
        out += partial_;
        out += '\n';
        partial_ = std::string();
    }
}

}  // namespace thole
