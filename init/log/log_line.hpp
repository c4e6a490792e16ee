// The form of a line in a log: "2026-01-31T12:00:00.123Z [   12.345] TEXT", and of the marker that begins a boot:
// "-- boot IDENTITY 2026-01-31T12:00:00.123Z". No service can forge a marker: its lines begin with a stamp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace thole {

inline constexpr std::size_t kLongestLine = 8192;  // bytes of text; a longer line goes on as the next

/// When a line was read.
struct LogTime {
    std::int64_t wall = 0;  // milliseconds since 1970, UTC
    std::int64_t boot = 0;  // milliseconds since the kernel started

    static LogTime now();
};

/// A line taken apart; the texts point into it.
struct StampedLine {
    LogTime time;
    std::string_view text;
};

/// "2026-01-31T12:00:00.123Z"; years from 0 to 9999.
std::string time_text(std::int64_t wall);

/// "2026-01-31T12:00:00.123Z [   12.345] "
std::string stamp_text(LogTime time);

/// The beginning of a date or of a time in UTC: "2026-01-31", "2026-01-31T12:00", "2026-01-31 12:00:00.5Z", and
/// "12:00" for the day that `today` lies in. Milliseconds since 1970.
std::optional<std::int64_t> parse_time(std::string_view text, std::int64_t today);

/// Takes a line without its end apart; nothing where it has no stamp.
std::optional<StampedLine> parse_line(std::string_view line);

/// A marker's line with its end.
std::string boot_marker(std::string_view identity, std::int64_t wall);

/// The identity in a marker, empty where the line is none.
std::string_view marked_boot(std::string_view line);

/// Moves whole lines from the front of `lines` to `out`, each with the stamp, until `out` has `limit` bytes or more.
/// Returns how many lines were moved.
std::size_t stamp_lines(std::string_view& lines, LogTime time, std::size_t limit, std::string& out);

/// How many line ends there are.
std::size_t count_lines(std::string_view text);

/// Cuts what a service writes into lines, wherever its writes begin and end.
class LineCutter {
   public:
    /// Adds the lines that are whole now to `out`, each with its end. A line that is too long comes in pieces.
    void take(std::string_view bytes, std::string& out);

    /// Adds what waits for its end as a line of its own.
    void finish(std::string& out);

   private:
    std::string partial_;
};

}  // namespace thole
