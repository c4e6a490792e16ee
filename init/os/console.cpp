#include "os/console.hpp"

#include <fcntl.h>

#include <string>

#include "base/text.hpp"
#include "os/clock.hpp"

namespace thole {

namespace {

constexpr std::size_t kMostGathered = 2'048;

}  // namespace

Console Console::open() { return Console(Fd(::open("/dev/console", O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC))); }

void Console::line(std::string_view text) {
    const std::int64_t tenths = now().milliseconds / 100;
    const std::string seconds = concat(tenths / 10, ".", tenths % 10);
    const std::string padding(seconds.size() < 6 ? 6 - seconds.size() : 0, ' ');
    append(gathered_, "[", padding, seconds, "] ", text, "\r\n");
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
