#include "os/console.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <string>

#include "base/text.hpp"
#include "os/clock.hpp"

namespace thole {

namespace {

constexpr std::size_t kMostGathered = 2'048;

}  // namespace

int open_console() {
    constexpr int kFlags = O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC;
    const int fd = ::open("/dev/console", kFlags);
    // Opened anew: what is shared with others (a pipe to the engine) must not be made non-blocking for them as well.
    return fd >= 0 ? fd : ::open("/proc/self/fd/2", kFlags);
}

Console::Console(Fd fd) : fd_(std::move(fd)), line_end_(fd_ && ::isatty(fd_.get()) != 0 ? "\r\n" : "\n") {}

Console Console::open() { return Console(Fd(open_console())); }

void Console::line(std::string_view text) {
    const std::int64_t tenths = now().milliseconds / 100;
    const std::string seconds = concat(tenths / 10, ".", tenths % 10);
    const std::string padding(seconds.size() < 6 ? 6 - seconds.size() : 0, ' ');
    append(gathered_, "[", padding, seconds, "] ", text, line_end_);
    append(said_, said_.empty() ? "" : "\n", text);
    ++lines_;
    if (!gathering_ || gathered_.size() > kMostGathered) {
        write();
    }
}

void Console::write() {
    if (lines_ == 0) {
        return;
    }
    if (listener_ != nullptr) {
        listener_->on_lines(said_);
    }
    if (!fd_ || ::write(fd_.get(), gathered_.data(), gathered_.size()) != static_cast<ssize_t>(gathered_.size())) {
        lost_ += lines_;
    }
    gathered_.clear();
    said_.clear();
    lines_ = 0;
}

void Console::release() {
    gathering_ = false;
    write();
}

}  // namespace thole
