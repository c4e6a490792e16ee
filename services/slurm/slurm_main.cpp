#include "slurm_main.hpp"

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "base/text.hpp"
#include "boot/running_config.hpp"
#include "config/slurm_keys.hpp"
#include "control/client.hpp"
#include "late_registration.hpp"
#include "os/clock.hpp"
#include "os/fd.hpp"
#include "os/notify_sender.hpp"
#include "reach.hpp"
#include "say.hpp"

#include "setup.hpp"
#include "shared_folder.hpp"

namespace thole::slurm {

using mesh::say;

namespace {

/// The places where a change matters here; one that is not there yet is watched as soon as it is, by its parent.
void watch_all(const Fd& changes) {
    for (const auto* folder : {kRunFolder, kHandedOutFolder, kMeshFolder}) {
        (void)::inotify_add_watch(changes.get(), folder, IN_CREATE | IN_MOVED_TO | IN_CLOSE_WRITE | IN_ONLYDIR);
    }
}

void wait_for_change(const Fd& changes, int milliseconds) {
    alignas(inotify_event) std::array<char, 4096> events{};
    pollfd waiting{changes.get(), POLLIN, 0};
    if (::poll(&waiting, 1, milliseconds) > 0) {
        (void)::read(changes.get(), events.data(), events.size());
    }
}

Status serve() {
    auto config = running_config();
    if (!config) {
        return std::unexpected(config.error());
    }
    const Fd changes(::inotify_init1(IN_CLOEXEC));
    if (!changes) {
        return system_error("watch for changes in", kMeshFolder);
    }
    const bool computes = has_slurm_role(*config, "compute");
    // The folder is slurmd's first trace in a boot.
    LateRegistration registration(computes ? kHandedOutFolder : "", concat(kRunFolder, "/registered-again"));
    Setup setup(std::move(*config));
    if (auto prepared = setup.prepare(); !prepared) {
        return prepared;
    }
    const char* const path = std::getenv("NOTIFY_SOCKET");
    // Without a supervisor there is nobody to tell.
    (void)notify(path != nullptr ? path : "", "READY=1\n");
    while (true) {
        watch_all(changes);
        // Looked at after the watches are there, so that nothing is missed in between.
        if (auto refreshed = setup.refresh(); !refreshed) {
            say(refreshed.error().message);
        }
        if (registration.due(now())) {
            if (auto asked = ask_pid1("reload slurmd"); !asked) {
                say(asked.error().message);
            }
        }
        wait_for_change(changes, registration.wait(now()));
    }
}

/// The first of these nodes that takes connections; else why the last of them does not.
Status reach_one_of(std::string_view names) {
    Status last;
    for (const auto name : split(names, ',')) {
        const auto address = address_of(std::string(name));
        last = address ? reach_controller(*address) : std::unexpected(address.error());
        if (last) {
            break;
        }
    }
    return last;
}

/// Said once, and again where the reason is another.
int wait_for_controller(std::string_view names) {
    constexpr unsigned kPause = 500'000;  // microseconds
    std::string said;
    while (true) {
        const auto reached = reach_one_of(names);
        if (reached) {
            return 0;
        }
        if (reached.error().message != said) {
            said = reached.error().message;
            say(concat("waiting for the controller ", names, ": ", said));
        }
        ::usleep(kPause);
    }
}

Status run(std::span<const std::string_view> arguments) {
    if (arguments.empty()) {
        return serve();
    }
    return arguments[0] == "home" ? mount_home(arguments[1]) : mount_state(arguments[1]);
}

}  // namespace

int slurm_main(std::span<const std::string_view> arguments) {
    const std::string_view verb = arguments.size() == 2 ? arguments[0] : "";
    if (verb == "wait") {
        return wait_for_controller(arguments[1]);
    }
    if (!arguments.empty() && verb != "home" && verb != "state") {
        say("usage: init slurm [wait CONTROLLER,CONTROLLER | home SERVER:/PATH | state SERVER:/PATH]");
        return 2;
    }
    const auto served = run(arguments);
    if (!served) {
        say(served.error().message);
    }
    return served ? 0 : 1;
}

}  // namespace thole::slurm
