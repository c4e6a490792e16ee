#include "log/log_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <ctime>

#include "base/text.hpp"
#include "os/clock.hpp"
#include "os/file.hpp"

namespace thole {

namespace {

std::string padded(std::int64_t number, std::size_t width, char fill) {
    const std::string digits = to_text(number);
    return digits.size() >= width ? digits : std::string(width - digits.size(), fill) + digits;
}

}  // namespace

std::string time_stamp() {
    timespec wall{};
    ::clock_gettime(CLOCK_REALTIME, &wall);
    tm parts{};
    ::gmtime_r(&wall.tv_sec, &parts);
    const std::int64_t boot = now().milliseconds;
    return concat(padded(parts.tm_year + 1900, 4, '0'), "-", padded(parts.tm_mon + 1, 2, '0'), "-",
                  padded(parts.tm_mday, 2, '0'), "T", padded(parts.tm_hour, 2, '0'), ":", padded(parts.tm_min, 2, '0'),
                  ":", padded(parts.tm_sec, 2, '0'), ".", padded(wall.tv_nsec / 1'000'000, 3, '0'), "Z [",
                  padded(boot / 1000, 5, ' '), ".", padded(boot % 1000, 3, '0'), "] ");
}

LogFile::LogFile(std::string path, std::int64_t size, int count)
    : path_(std::move(path)), limit_(size), count_(count) {}

bool LogFile::open() {
    auto opened = open_file(path_, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0640);
    if (!opened) {
        return false;
    }
    struct stat information{};
    if (::fstat(opened->get(), &information) != 0 || !S_ISREG(information.st_mode)) {
        return false;
    }
    fd_ = std::move(*opened);
    size_ = information.st_size;
    return true;
}

/// Renames first, oldest to newest, and opens a new file then; where the new one cannot be made the old descriptor goes
/// on.
void LogFile::rotate() {
    for (int number = count_ - 1; number >= 1; --number) {
        const std::string from = number == 1 ? path_ : concat(path_, ".", number - 1);
        ::rename(from.c_str(), concat(path_, ".", number).c_str());
    }
    if (count_ == 1) {
        ::unlink(path_.c_str());
    }
    if (!open()) {
        size_ = 0;  // try again only after another full file's worth
    }
}

bool LogFile::write(std::string_view text) {
    const ssize_t written = ::write(fd_.get(), text.data(), text.size());
    if (written > 0) {
        size_ += written;
    }
    return written == static_cast<ssize_t>(text.size());
}

void LogFile::add(std::string_view line) {
    if (!fd_ && !open()) {
        ++lost_;
        return;
    }
    if (size_ >= limit_) {
        rotate();
    }
    if (lost_ > 0 && write(concat(time_stamp(), "thole: ", static_cast<std::int64_t>(lost_),
                                  " lines before this one were lost\n"))) {
        lost_ = 0;
    }
    if (!write(concat(time_stamp(), line, "\n"))) {
        ++lost_;
    }
}

}  // namespace thole
