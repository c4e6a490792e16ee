#include "os/console.hpp"

#include <fcntl.h>

#include <string>

#include "base/text.hpp"
#include "os/clock.hpp"

namespace thole {

Console Console::open() { return Console(Fd(::open("/dev/console", O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC))); }

void Console::line(std::string_view text) {
    if (listener_ != nullptr) {
        listener_->on_line(text);
    }
    const std::int64_t tenths = now().milliseconds / 100;
    const std::string seconds = concat(tenths / 10, ".", tenths % 10);
    const std::string padding(seconds.size() < 6 ? 6 - seconds.size() : 0, ' ');
    const std::string whole = concat("[", padding, seconds, "] ", text, "\r\n");
    if (!fd_ || ::write(fd_.get(), whole.data(), whole.size()) != static_cast<ssize_t>(whole.size())) {
        ++lost_;
    }
}

}  // namespace thole
