#include "daemon/power_button.hpp"

#include <fcntl.h>
#include <linux/input.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>

#include "base/text.hpp"
#include "os/file.hpp"

namespace thole {

namespace {

/// musl takes ioctl's request as an int, glibc as an unsigned long.
template <typename Request>
int control(int (*call)(int, Request, ...), int fd, unsigned request, void* data) {
    return call(fd, static_cast<Request>(request), data);
}

bool has_power_key(int fd) {
    constexpr unsigned kSize = KEY_MAX / 8 + 1;
    std::array<unsigned char, kSize> keys{};
    constexpr unsigned kRequest =
        _IOC(static_cast<unsigned>(_IOC_READ), 'E', 0x20U + EV_KEY, kSize);  // EVIOCGBIT(EV_KEY)
    const int size = control(::ioctl, fd, kRequest, keys.data());
    return size > KEY_POWER / 8 && (keys[KEY_POWER / 8] >> (KEY_POWER % 8) & 1) != 0;
}

}  // namespace

void PowerButton::open(EventLoop& loop) {
    const auto names = list_directory("/dev/input");
    if (!names) {
        return;
    }
    for (const std::string& name : *names) {
        auto device = open_file(concat("/dev/input/", name), O_RDONLY | O_NONBLOCK);
        if (device && name.starts_with("event") && has_power_key(device->get()) &&
            loop.add(device->get(), EPOLLIN, *this)) {
            devices_.push_back(std::move(*device));
        }
    }
}

void PowerButton::on_events(std::uint32_t /*events*/) {
    bool pressed = false;
    input_event event{};
    for (const Fd& device : devices_) {
        while (::read(device.get(), &event, sizeof event) == static_cast<ssize_t>(sizeof event)) {
            pressed |= event.type == EV_KEY && event.code == KEY_POWER && event.value == 1;
        }
    }
    if (pressed) {
        listener_.on_power_button();
    }
}

}  // namespace thole
