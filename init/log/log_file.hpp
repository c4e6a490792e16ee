// One service's log on disk: lines with time stamps, rotated by size. A full disk loses lines, counts them and says so
// later; a log that is whole is never cut.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "os/fd.hpp"

namespace thole {

class LogFile {
   public:
    /// PATH is the current file; PATH.1, PATH.2 ... the earlier ones, `count` files in all of about `size` bytes each.
    LogFile(std::string path, std::int64_t size, int count);

    /// Adds one line with wall clock (UTC) and seconds since boot in front. Opens the file when it is not open.
    void add(std::string_view line);

    [[nodiscard]] std::uint64_t lost() const { return lost_; }

   private:
    bool open();
    void rotate();
    bool write(std::string_view text);

    std::string path_;
    std::int64_t limit_;
    int count_;
    Fd fd_;
    std::int64_t size_ = 0;
    std::uint64_t lost_ = 0;
};

/// "2026-01-31T12:00:00.123Z [   12.345] ".
std::string time_stamp();

}  // namespace thole
