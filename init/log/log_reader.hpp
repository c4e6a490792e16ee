// Reads a log from its oldest line to its newest and further: rotated files, the current file, what the ring has beyond
// it (full or stuck disk), and the files that come after a rotation. For the command line, not for PID 1.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "log/log_line.hpp"
#include "log/log_places.hpp"
#include "os/fd.hpp"

namespace thole {

class LogReader {
   public:
    LogReader(const LogPlaces& places, std::string name)
        : path_(places.file(name)), ring_(places.ring(name)), name_(std::move(name)) {}

    /// Opens the files there are, so that the last `lines` lines of them are still to come.
    void open(std::size_t lines = SIZE_MAX);

    /// Goes to the next line. False where there is none now; asked again later, it goes on with what has come since.
    bool next();

    /// Makes the ring's lines that the files do not have, and that were read before `until` (milliseconds since the
    /// kernel started), the next ones. Call it when next() has found nothing.
    void take_ring(std::int64_t until = INT64_MAX);

    [[nodiscard]] const std::string& name() const { return name_; }
    /// The line without its end, its time and its text. A line without a stamp has the time of the one before it.
    [[nodiscard]] std::string_view line() const { return line_; }
    [[nodiscard]] LogTime time() const { return time_; }
    [[nodiscard]] std::string_view text() const { return std::string_view(line_).substr(text_at_); }
    /// The identity of the boot that it is from, empty where that is not known.
    [[nodiscard]] const std::string& boot() const { return boot_; }

   private:
    struct OpenLog {
        Fd fd;
        ino_t inode = 0;
    };

    [[nodiscard]] std::vector<OpenLog> open_newer(ino_t than) const;
    bool fill();
    bool take_line(std::string_view line);
    [[nodiscard]] bool is_old(LogTime time, const std::string& current) const;

    std::string path_;
    std::string ring_;
    std::string name_;
    std::vector<OpenLog> files_;  // oldest first; the first is being read
    std::string buffer_;
    std::size_t used_ = 0;
    bool from_ring_ = false;     // the buffer holds lines of the ring
    std::int64_t skipped_ = -1;  // lines of this boot up to this time have come from the ring already
    std::string line_;
    std::size_t text_at_ = 0;
    LogTime time_;
    std::string boot_;
};

/// Which lines are wanted.
struct LogFilter {
    std::int64_t wall = INT64_MIN;       // not before, milliseconds since 1970
    std::optional<std::int64_t> uptime;  // in this boot, instead: not before, milliseconds since the kernel started
    std::string boot;                    // only this boot's, where it is not empty
    std::string current_boot;

    [[nodiscard]] bool wants(const LogReader& reader) const;
};

/// "10m", "2h": since then, whatever the wall clock did in this boot; or a date or time in UTC, see parse_time().
Status set_since(LogFilter& filter, std::string_view text, LogTime time);

/// Whether the line of `left` comes before that of `right`: by the time since boot where both are of one boot.
bool earlier_line(const LogReader& left, const LogReader& right);

/// The boots that the named logs know of, oldest first; the last is `current`.
std::vector<std::string> boots_in(const LogPlaces& places, const std::vector<std::string>& names,
                                  const std::string& current);

/// The names of all logs there are, in files or in rings.
std::vector<std::string> log_names(const LogPlaces& places);

}  // namespace thole
