#include "log/log_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/text.hpp"
#include "os/file.hpp"

namespace thole {

namespace {

constexpr std::size_t kWrite = 16U << 10U;  // bytes written at once, about

}  // namespace

void LogFile::set_limits(std::int64_t size, int count) {
    if (size != limit_) {
        limit_ = size;
        rotate_at_ = size;
    }
    count_ = count;
}

bool LogFile::open() {
    constexpr int kFlags = O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK;  // a FIFO in its place: no wait
    auto opened = open_file(path_, kFlags, 0640);
    if (!opened && opened.error().code == ENOENT) {
        (void)make_directories(path_.substr(0, path_.rfind('/')));
        opened = open_file(path_, kFlags, 0640);
    }
    struct stat information{};
    if (!opened || ::fstat(opened->get(), &information) != 0 || !S_ISREG(information.st_mode)) {
        return false;
    }
    fd_ = std::move(*opened);
    size_ = information.st_size;
    rotate_at_ = limit_;
    marked_ = false;
    char last = '\n';
    torn_ = size_ > 0 && ::pread(fd_.get(), &last, 1, size_ - 1) == 1 && last != '\n';  // a power cut's half line
    return true;
}

/// Whether there is a file to write to. One that somebody has deleted or cut is noticed.
bool LogFile::ready() {
    struct stat information{};
    if (fd_ && ::fstat(fd_.get(), &information) == 0 && information.st_nlink > 0) {
        size_ = information.st_size;
        return true;
    }
    fd_.reset();
    return open();
}

/// Renames first, oldest to newest, and opens a new file then; where the new one cannot be made the old descriptor goes
/// on. The first rename that fails ends it: one more would write over a log.
void LogFile::rotate() {
    rotate_at_ = size_ + limit_;  // where it fails: try again only after another file's worth
    for (int number = count_ - 1; number >= 1; --number) {
        const std::string from = number == 1 ? path_ : concat(path_, ".", number - 1);
        if (::rename(from.c_str(), concat(path_, ".", number).c_str()) != 0 && errno != ENOENT) {
            return;
        }
    }
    if (count_ == 1) {
        ::unlink(path_.c_str());
    }
    (void)open();
}

/// Writes whole lines. Of what does not fit into the disk, the lines that do not fit are counted, and no half line
/// stays.
bool LogFile::write(std::string_view text) {
    const ssize_t result = ::write(fd_.get(), text.data(), text.size());
    const auto written = static_cast<std::size_t>(result > 0 ? result : 0);
    size_ += static_cast<std::int64_t>(written);
    if (written == text.size()) {
        torn_ = false;
        return true;
    }
    const std::size_t whole = text.substr(0, written).rfind('\n') + 1;  // npos + 1 = 0
    if (written > whole) {
        const std::int64_t end = size_ - static_cast<std::int64_t>(written - whole);
        torn_ = ::ftruncate(fd_.get(), end) != 0;
        size_ = torn_ ? size_ : end;
    }
    lost_ += count_lines(text.substr(whole));
    return false;
}

/// The marker, where the file has none of this boot yet.
bool LogFile::begin_file(std::int64_t wall) {
    if (!marked_) {
        const std::uint64_t before = lost_;
        marked_ = write(concat(torn_ ? "\n" : "", boot_marker(boot_, wall)));
        lost_ = before;  // the marker is nobody's line
    }
    return marked_;
}

void LogFile::add(std::string_view lines, LogTime time, std::uint64_t lost) {
    lost_ += lost;
    if (!ready()) {
        lost_ += count_lines(lines);
        return;
    }
    if (size_ >= rotate_at_) {
        rotate();
    }
    if (!begin_file(time.wall)) {
        lost_ += count_lines(lines);
        return;
    }
    if (lost_ > 0) {
        const std::uint64_t before = lost_;
        const bool said =
            write(concat(torn_ ? "\n" : "", stamp_text(time), "thole: ", before, " lines before this one were lost\n"));
        lost_ = said ? 0 : before;
    }
    std::string text;
    while (!lines.empty()) {
        text.clear();
        stamp_lines(lines, time, kWrite, text);
        (void)write(text);  // what is lost is counted
    }
}

}  // namespace thole
