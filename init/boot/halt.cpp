#include "boot/halt.hpp"

#include <fcntl.h>
#include <linux/input.h>
#include <poll.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "base/text.hpp"
#include "boot/container.hpp"
#include "os/file.hpp"

namespace thole {

namespace {

constexpr std::size_t kWidth = 88;

[[noreturn]] void leave(int command) {
    ::sync();
    ::reboot(command);
    while (true) {
        ::pause();
    }
}

std::vector<Fd> input_devices() {
    std::vector<Fd> devices;
    const auto names = list_directory("/dev/input");
    for (const std::string& name : names.value_or(std::vector<std::string>())) {
        auto device = open_file("/dev/input/" + name, O_RDONLY | O_NONBLOCK);
        if (device && name.starts_with("event")) {
            devices.push_back(std::move(*device));
        }
    }
    return devices;
}

bool power_key_pressed(int device) {
    input_event event{};
    bool pressed = false;
    while (::read(device, &event, sizeof event) == static_cast<ssize_t>(sizeof event)) {
        pressed = pressed || (event.type == EV_KEY && event.code == KEY_POWER && event.value == 1);
    }
    return pressed;
}

void on_signal(int signals) {
    signalfd_siginfo information{};
    if (::read(signals, &information, sizeof information) != static_cast<ssize_t>(sizeof information)) {
        return;
    }
    if (information.ssi_signo == SIGINT || information.ssi_signo == SIGTERM) {
        leave(RB_AUTOBOOT);
    }
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
    }
}

[[noreturn]] void wait_for_person() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : {SIGINT, SIGTERM, SIGCHLD}) {
        sigaddset(&set, signal);
    }
    ::sigprocmask(SIG_SETMASK, &set, nullptr);
    const Fd signals(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    const auto devices = input_devices();
    std::vector<pollfd> polled{{signals.get(), POLLIN, 0}};
    for (const Fd& device : devices) {
        polled.push_back({device.get(), POLLIN, 0});
    }
    while (true) {
        if (::poll(polled.data(), polled.size(), -1) < 0) {
            continue;
        }
        on_signal(signals.get());
        for (pollfd& device : std::span(polled).subspan(1)) {
            if (power_key_pressed(device.fd)) {
                leave(RB_POWER_OFF);
            }
            if ((device.revents & (POLLERR | POLLHUP)) != 0) {
                device.fd = -1;  // unplugged
            }
        }
    }
}

}  // namespace

std::vector<std::string> boxed(std::string_view message, std::size_t width) {
    const std::size_t inner = width - 4;
    std::vector<std::string> lines;
    std::string line;
    const auto finish = [&] {
        lines.push_back(concat("| ", line, std::string(inner - line.size(), ' '), " |"));
        line.clear();
    };
    const std::string edge = concat("+", std::string(width - 2, '-'), "+");
    lines.push_back(edge);
    for (const auto paragraph : split(message, '\n')) {
        for (auto word : split_words(paragraph)) {
            if (!line.empty() && line.size() + 1 + word.size() > inner) {
                finish();
            }
            for (; word.size() > inner; word.remove_prefix(inner)) {
                line = word.substr(0, inner);
                finish();
            }
            line += concat(line.empty() ? "" : " ", word);
        }
        finish();
    }
    lines.push_back(edge);
    return lines;
}

void halt(Console& console, std::string_view message) {
    const bool in_container = runs_in_container();
    const std::string text =
        in_container
            ? concat("THIS CONTAINER CANNOT RUN\n", message, "\nCorrect the cause, then start the container again.")
            : concat("THIS NODE IS HALTED\n", message,
                     "\nCorrect the cause, then restart the node with ctrl-alt-del, or switch it off with the power "
                     "button.");
    for (const std::string& line : boxed(text, kWidth)) {
        console.line(line);
    }
    if (in_container) {
        ::_exit(1);
    }
    wait_for_person();
}

}  // namespace thole
