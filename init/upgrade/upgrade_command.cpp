// `thole upgrade FILE|URL` and `thole rollback`.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "base/text.hpp"
#include "boot/data_version.hpp"
#include "boot/running_config.hpp"
#include "control/client.hpp"
#include "control/commands.hpp"
#include "os/file.hpp"
#include "upgrade/bundle.hpp"
#include "upgrade/entries.hpp"
#include "upgrade/esp.hpp"
#include "upgrade/fetch.hpp"
#include "upgrade/jobs.hpp"
#include "upgrade/signature.hpp"
#include "upgrade/slots.hpp"
#include "upgrade/write.hpp"

namespace thole {

namespace {

using namespace upgrade;

constexpr std::string_view kUnfinished = "unfinished";  // a file of no name that systemd-boot would start
constexpr unsigned kStep = 10;                          // per cent between two lines of progress

struct Opened {
    Fd file;
    std::string start;  // what `bundle` refers to
    Bundle bundle;
};

Result<Opened> open_bundle(const std::string& path) {
    auto file = open_file(path, O_RDONLY);
    if (!file) {
        return std::unexpected(file.error());
    }
    Opened opened{std::move(*file), std::string(kLargestHeader, '\0'), {}};
    const ssize_t count = ::pread(opened.file.get(), opened.start.data(), opened.start.size(), 0);
    if (count < 0) {
        return system_error("read", path);
    }
    opened.start.resize(static_cast<std::size_t>(count));
    auto bundle = parse_bundle(opened.start);
    if (!bundle) {
        return with_context(path, bundle.error());
    }
    opened.bundle = std::move(*bundle);
    struct stat information{};
    const std::uint64_t whole = opened.bundle.begin + opened.bundle.kernel.size + opened.bundle.root.size;
    if (::fstat(opened.file.get(), &information) != 0) {
        return system_error("look at", path);
    }
    // A disk that was made of a bundle ends with a whole sector.
    if (!S_ISBLK(information.st_mode) && static_cast<std::uint64_t>(information.st_size) != whole) {
        return failure(concat(path, " is cut short or has something behind its end: it should have ", whole, " bytes"));
    }
    return opened;
}

/// Whether this node may take it, before anything is written.
Status check_bundle(const Call& call, const Bundle& bundle, std::string_view running) {
    const auto config = running_config();
    if (!config) {
        return std::unexpected(config.error());
    }
    if (!call.has("--unsigned")) {
        if (auto checked = check_signature(bundle, config->list("upgrade.keys")); !checked) {
            return checked;
        }
    }
    utsname machine{};
    ::uname(&machine);
    if (bundle.architecture != machine.machine) {
        return failure(concat("it is for ", bundle.architecture, ", this machine is ", machine.machine));
    }
    if (bundle.data_format < kDataFormat) {
        return failure(concat("it reads data of the form ", bundle.data_format, ", this node's data has the form ",
                              kDataFormat, ": it could not read them"));
    }
    const int order = compare_versions(bundle.version, running);
    if (order == 0) {
        return failure(concat("version ", running, " runs already"));
    }
    if (order < 0 && !call.has("--downgrade")) {
        return failure(concat("it is version ", bundle.version, ", older than ", running,
                              ", which runs; --downgrade takes it all the same"));
    }
    return {};
}

/// Says how far it is, in steps.
Say progress(std::string what) {
    return [what = std::move(what), next = std::uint64_t{kStep}](std::uint64_t done, std::uint64_t all) mutable {
        if (done * 100 >= next * all) {
            print(concat(what, " ", done * 100 / all, " %\n"));
            next = done * 100 / all + kStep;
        }
    };
}

/// Kernel images of versions that are in no slot any more.
Status remove_others(const Esp& esp, std::string_view running, std::string_view wanted) {
    const auto files = esp.kernels();
    if (!files) {
        return std::unexpected(files.error());
    }
    for (const std::string& name : *files) {
        const auto entry = parse_entry(name);
        if (!entry || (entry->version != running && entry->version != wanted)) {
            if (auto removed = esp.remove(name); !removed) {
                return removed;
            }
        }
    }
    return {};
}

Status install(const Opened& opened, const Slots& slots, std::string_view running) {
    const Bundle& bundle = opened.bundle;
    if (slots.other.size < bundle.root.size) {
        return failure(concat(slots.other.path(), " has ", slots.other.size >> 20U, " MiB, the new root ",
                              bundle.root.size >> 20U, " MiB"));
    }
    auto esp = Esp::mount(slots.esp.path());
    if (!esp) {
        return std::unexpected(esp.error());
    }
    // What is in the other slot now is about to be overwritten: nothing may start it any more.
    if (auto removed = remove_others(*esp, running, running); !removed) {
        return removed;
    }
    if (auto synced = esp->sync(); !synced) {
        return synced;
    }
    const std::uint64_t root_at = bundle.begin + bundle.kernel.size;
    if (auto written =
            write_part(opened.file, root_at, bundle.root, slots.other.path(), O_EXCL, progress("root file system"));
        !written) {
        return written;
    }
    if (auto named = name_partition(slots.other.name, bundle.partition); !named) {
        return named;
    }
    const auto kernel = esp->path_of(kUnfinished);
    if (auto written =
            write_part(opened.file, bundle.begin, bundle.kernel, kernel, O_CREAT | O_TRUNC, progress("kernel"));
        !written) {
        return written;
    }
    return esp->rename(kUnfinished, file_name({bundle.version, kTries, 0}));
}

/// Pods move by themselves while a node goes down; jobs are waited for.
Status leave_work(const Call& call) {
    const auto config = running_config();
    const auto patience =
        config ? parse_duration(config->text("upgrade.job-timeout")) : std::unexpected(config.error());
    if (!patience) {
        return std::unexpected(patience.error());
    }
    return call.has("--no-drain") ? Status() : wait_for_jobs(*config, *patience);
}

int go_down(const Call& call, std::string_view what) {
    if (call.has("--no-reboot")) {
        print(concat(what, " starts at the next reboot\n"));
        return kDone;
    }
    if (auto left = leave_work(call); !left) {
        return complain(with_context(concat(what, " starts at the next reboot"), left.error()).error());
    }
    print(concat(what, ": rebooting\n"));
    const auto asked = ask_pid1("shutdown reboot");
    return asked ? kDone : complain(asked.error());
}

Status roll_back(std::string& version) {
    const auto running = running_version();
    const auto slots = this_machines_slots();
    if (!running || !slots) {
        return std::unexpected(running ? slots.error() : running.error());
    }
    const auto esp = Esp::mount(slots->esp.path());
    if (!esp) {
        return std::unexpected(esp.error());
    }
    const auto files = esp->kernels();
    if (!files) {
        return std::unexpected(files.error());
    }
    version = other_version(*files, *running);
    if (version.empty()) {
        return failure(concat("there is no other version than ", *running, " to go back to"));
    }
    return esp->rename(find_version(*files, *running), file_name({*running, 0, kTries}));
}

}  // namespace

int upgrade_command(const Call& call) {
    const auto running = running_version();
    if (!running) {
        return complain(running.error());
    }
    const auto slots = this_machines_slots();
    if (!slots) {
        return complain(slots.error());
    }
    const std::string path(call.names.front());
    const auto file = is_url(path) ? fetch_bundle(path) : Result<std::string>(path);
    if (!file) {
        return complain(with_context(concat(path, " was not installed"), file.error()).error());
    }
    const auto opened = open_bundle(*file);
    // It is open: what was fetched goes when this ends.
    forget_fetched(*file);
    if (!opened) {
        return complain(opened.error());
    }
    Status done = check_bundle(call, opened->bundle, *running);
    if (!done) {
        return complain(with_context(concat(path, " was not installed"), done.error()).error());
    }
    print(concat("version ", opened->bundle.version, " to ", slots->other.path(), "\n"));
    done = install(*opened, *slots, *running);
    if (!done) {
        return complain(
            with_context(concat(path, " was not installed; version ", *running, " goes on"), done.error()).error());
    }
    return go_down(call, concat("version ", opened->bundle.version));
}

int rollback_command(const Call& call) {
    std::string version;
    if (auto done = roll_back(version); !done) {
        return complain(done.error());
    }
    return go_down(call, concat("version ", version));
}

}  // namespace thole
