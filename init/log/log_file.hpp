// One service's log on disk: lines with time stamps, rotated by size. A full disk loses lines, counts them and says so
// later; a log that is whole is never cut. Each file begins with a marker that names the boot, see log_line.hpp.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "log/log_line.hpp"
#include "os/fd.hpp"

namespace thole {

class LogFile {
   public:
    /// PATH is the current file; PATH.1, PATH.2 ... the earlier ones. `boot` is this boot's identity;
    /// it must outlive the file.
    LogFile(std::string path, const std::string& boot) : path_(std::move(path)), boot_(boot) {}

    /// `count` files in all of about `size` bytes each.
    void set_limits(std::int64_t size, int count);

    /// Adds lines with their ends, each with the stamp in front, after a line about those that were lost before: here,
    /// and `lost` on their way here. Opens the file when it is not open. `lines` may be empty.
    void add(std::string_view lines, LogTime time, std::uint64_t lost);

    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] std::uint64_t lost() const { return lost_; }

   private:
    bool ready();
    bool open();
    void rotate();
    bool write(std::string_view text);
    bool begin_file(std::int64_t wall);

    std::string path_;
    const std::string& boot_;
    std::int64_t limit_ = INT64_C(4) << 20;
    std::int64_t rotate_at_ = 0;
    int count_ = 2;
    Fd fd_;
    std::int64_t size_ = 0;
    std::uint64_t lost_ = 0;
    bool marked_ = false;  // the boot's marker is in the file
    bool torn_ = false;    // half a line is at its end
};

}  // namespace thole
