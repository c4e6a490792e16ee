#include "daemon/hardware_watchdog.hpp"

#include <fcntl.h>
#include <linux/watchdog.h>
#include <sys/ioctl.h>

#include "os/file.hpp"

namespace thole {

namespace {

constexpr int kShutdownSeconds = 120;

/// musl takes ioctl's request as an int, glibc as an unsigned long.
template <typename Request>
int control(int (*call)(int, Request, ...), int fd, unsigned request, void* data) {
    return call(fd, static_cast<Request>(request), data);
}

}  // namespace

void HardwareWatchdog::open(Console& console, const std::string& device, Milliseconds time) {
    auto opened = open_file(device, O_WRONLY);
    if (!opened) {
        console.line(concat("watchdog ", opened.error().message, "; this node runs without a hardware watchdog"));
        return;
    }
    int seconds = static_cast<int>((time.count() + 999) / 1000);
    if (control(::ioctl, opened->get(), WDIOC_SETTIMEOUT, &seconds) != 0) {
        (void)control(::ioctl, opened->get(), WDIOC_GETTIMEOUT, &seconds);  // the device's own time holds then
    }
    device_ = std::move(*opened);
    time_ = Milliseconds(seconds * 1000);
    console.line(concat("watchdog ", device, ": resets this node when PID 1 hangs for ", duration_text(time_)));
    feed();
}

void HardwareWatchdog::feed() {
    (void)control(::ioctl, device_.get(), WDIOC_KEEPALIVE, nullptr);
    next_ = now() + time_ / 2;
}

void HardwareWatchdog::on_time() {
    if (next_ && *next_ <= now()) {
        feed();
    }
}

void HardwareWatchdog::prepare_shutdown() {
    int seconds = kShutdownSeconds;
    if (device_ && control(::ioctl, device_.get(), WDIOC_SETTIMEOUT, &seconds) != 0) {
        int off = WDIOS_DISABLECARD;
        (void)control(::ioctl, device_.get(), WDIOC_SETOPTIONS, &off);
    } else if (device_) {
        feed();
    }
}

}  // namespace thole
