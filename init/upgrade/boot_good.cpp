// `thole boot-good`: says to the boot loader that this boot is good, or gives a new version up.
#include <unistd.h>

#include <ctime>
#include <string>

#include "base/text.hpp"
#include "boot/program.hpp"
#include "boot/running_config.hpp"
#include "control/client.hpp"
#include "control/commands.hpp"
#include "control/systemctl_words.hpp"
#include "os/clock.hpp"
#include "os/file.hpp"
#include "upgrade/entries.hpp"
#include "upgrade/esp.hpp"
#include "upgrade/jobs.hpp"
#include "upgrade/slots.hpp"

namespace thole {

namespace {

using namespace upgrade;

constexpr const char* kFolder = "/var/lib/thole/boot";
constexpr const char* kReady = "/var/lib/thole/boot/kubelet-was-ready";
constexpr const char* kKubernetes = "/usr/bin/kubernetes-node";
constexpr timespec kPause{1, 0};

std::string good_mark(std::string_view version) { return concat(kFolder, "/good-", version); }

/// Whether the kubelet says that it is Ready, where Kubernetes is in the image and runs.
bool kubelet_is_ready() {
    const auto asked = path_exists(kKubernetes) ? run_program({kKubernetes, "ready"}) : failure("there is none");
    return asked && asked->status == 0;
}

/// This unit itself is still starting: the others count.
bool units_are_up() {
    const auto units = ask_status();
    if (!units) {
        return false;
    }
    std::vector<UnitStatus> others;
    for (const UnitStatus& unit : *units) {
        if (unit.name != "boot-good") {
            others.push_back(unit);
        }
    }
    return system_word(others, false) == "running";
}

/// Until the node is as healthy as it was before; false when that takes too long.
bool wait_until_healthy(Milliseconds patience) {
    const bool was_ready = path_exists(kReady);
    for (const Instant end = now() + patience; now() < end;) {
        if (units_are_up() && (!was_ready || kubelet_is_ready())) {
            return true;
        }
        ::nanosleep(&kPause, nullptr);
    }
    return false;
}

/// The count of tries back to three: the boot loader goes on starting this version.
Status refill(const std::string& version) {
    const auto slots = this_machines_slots();
    if (!slots) {
        return std::unexpected(slots.error());
    }
    const auto esp = Esp::mount(slots->esp.path());
    if (!esp) {
        return std::unexpected(esp.error());
    }
    const auto files = esp->kernels();
    if (!files) {
        return std::unexpected(files.error());
    }
    const std::string name = find_version(*files, version);
    if (name.empty()) {
        return failure(concat("the ESP has no kernel image of version ", version, ", which runs"));
    }
    return esp->rename(name, file_name({version, kTries, 0}));
}

Status note_good(const std::string& version) {
    if (auto made = make_directories(kFolder, 0700); !made) {
        return made;
    }
    if (kubelet_is_ready()) {
        if (auto noted = replace_file(kReady, "", 0600); !noted) {
            return noted;
        }
    } else {
        ::unlink(kReady);
    }
    return replace_file(good_mark(version), "", 0600);
}

int give_up(const std::string& version, Milliseconds patience) {
    print(concat("version ", version, " was not healthy within ", duration_text(patience),
                 ": rebooting; after three times the version before is started\n"));
    const auto asked = ask_pid1("shutdown reboot");
    return asked ? kDone : complain(asked.error());
}

}  // namespace

int boot_good_command(const Call& /*call*/) {
    const auto version = running_version();
    const auto config = running_config();
    if (!version || !config) {
        return complain(version ? config.error() : version.error());
    }
    const auto patience = parse_duration(config->text("upgrade.health-timeout"));
    if (!patience) {
        return complain(patience.error());
    }
    const bool was_good = path_exists(good_mark(*version));
    // A version that was good before is not given up for what is wrong around it; that it got here is enough.
    const bool healthy = was_good || wait_until_healthy(*patience);
    if (!healthy) {
        return give_up(*version, *patience);
    }
    if (auto refilled = refill(*version); !refilled) {
        return complain(refilled.error());
    }
    if (was_good) {
        (void)wait_until_healthy(*patience);  // for what the next upgrade is measured by
    }
    if (auto noted = note_good(*version); !noted) {
        return complain(noted.error());
    }
    print(concat("version ", *version, " is good\n"));
    const auto resumed = take_jobs_again(*config);
    return resumed ? kDone : complain(with_context("SLURM gives this node no jobs yet", resumed.error()).error());
}

}  // namespace thole
