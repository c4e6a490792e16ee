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

bool has_power_key(int fd) {
    std::array<unsigned char, KEY_MAX / 8 + 1> keys{};
    const int size = ::ioctl(fd, EVIOCGBIT(EV_KEY, keys.size()), keys.data());
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
