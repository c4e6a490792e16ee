#include "upgrade/jobs.hpp"

#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <vector>

#include "boot/program.hpp"
#include "control/commands.hpp"
#include "os/clock.hpp"
#include "os/file.hpp"
#include "os/host_name.hpp"

namespace thole::upgrade {

namespace {

constexpr const char* kScontrol = "/usr/bin/scontrol";
constexpr const char* kSqueue = "/usr/bin/squeue";
constexpr const char* kDrained = "/var/lib/thole/boot/drained";
constexpr std::string_view kReason = "reason=thole-upgrade";
constexpr timespec kPause{2, 0};

bool runs_jobs(const NodeConfig& config) {
    const auto roles = config.list("slurm.role");
    return path_exists(kScontrol) && std::ranges::find(roles, "compute") != roles.end();
}

Result<std::string> run(std::vector<std::string> command) {
    const auto done = run_program(command);
    if (!done) {
        return std::unexpected(done.error());
    }
    return done->status == 0 ? Result<std::string>(std::string(trim(done->output)))
                             : failure(concat(command.front(), ": ", trim(done->output)));
}

Status set_state(std::string_view state) {
    const auto done = run({kScontrol, "update", concat("nodename=", host_name()), concat("state=", state),
                           std::string(state == "drain" ? kReason : "")});
    return done ? Status() : std::unexpected(done.error());
}

std::string on_one_line(std::string lines) {
    std::ranges::replace(lines, '\n', ' ');
    return lines;
}

/// The numbers of the jobs that have a part here.
Result<std::string> jobs_here() { return run({kSqueue, "--noheader", "--format=%i", "--nodelist", host_name()}); }

}  // namespace

Status wait_for_jobs(const NodeConfig& config, Milliseconds patience) {
    if (!runs_jobs(config)) {
        return {};
    }
    if (auto drained = set_state("drain"); !drained) {
        return with_context("this node was not drained in SLURM", drained.error());
    }
    if (auto noted = replace_file(kDrained, "", 0600); !noted) {
        return noted;
    }
    std::string said;
    for (const Instant end = now() + patience;;) {
        const auto jobs = jobs_here();
        if (!jobs || jobs->empty()) {
            return jobs ? Status() : std::unexpected(jobs.error());
        }
        if (*jobs != said) {
            said = *jobs;
            print(concat("waiting for SLURM's jobs ", on_one_line(said), "\n"));
        }
        if (now() >= end) {
            return failure(concat("SLURM's jobs ", on_one_line(said), " still run after ", duration_text(patience),
                                  "; this node gets no new ones (drained)"));
        }
        ::nanosleep(&kPause, nullptr);
    }
}

Status take_jobs_again(const NodeConfig& config) {
    if (!path_exists(kDrained)) {
        return {};
    }
    if (runs_jobs(config)) {
        if (auto resumed = set_state("resume"); !resumed) {
            return resumed;
        }
    }
    ::unlink(kDrained);
    return {};
}

}  // namespace thole::upgrade
