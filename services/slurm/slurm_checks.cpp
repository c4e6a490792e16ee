#include "slurm_checks.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "base/text.hpp"
#include "boot/program.hpp"
#include "boot/running_config.hpp"
#include "clock_offset.hpp"
#include "config/slurm_keys.hpp"
#include "os/cgroup.hpp"
#include "os/file.hpp"
#include "os/host_name.hpp"
#include "reach.hpp"
#include "setup.hpp"

namespace thole::slurm {

namespace {

constexpr const char* kCredential = "/run/thole/doctor.munge";

/// A controller that is another node.
struct Other {
    std::string name;
    Result<Address> address;
};

struct Chain {
    std::string node;
    std::vector<Other> others;
    bool controls = false;
    bool computes = false;
};

std::string first_line(std::string_view text) { return std::string(text.substr(0, text.find('\n'))); }

/// The output of a program that must end with 0, else its first words as the finding.
Finding run(const std::vector<std::string>& arguments) {
    const auto result = run_program(arguments);
    if (!result) {
        return {false, result.error().message};
    }
    const bool good = result->status == 0;
    return {good, good ? result->output : concat("ended with ", result->status, ": ", first_line(result->output))};
}

/// A credential that this node makes and takes: munged runs, and its key is there.
Finding munge_round_trip(const Chain& /*chain*/) {
    const Finding made = run({"/usr/bin/munge", "--no-input", "--output", kCredential});
    if (!made.good) {
        return {false, concat("munge ", made.detail)};
    }
    const Finding taken = run({"/usr/bin/unmunge", "--no-output", "--input", kCredential});
    ::unlink(kCredential);
    return {taken.good, taken.good ? std::string("a credential was made and taken") : concat("unmunge ", taken.detail)};
}

Finding reach_by_name(const std::string& name, const Result<Address>& address) {
    if (!address) {
        return {false, concat(name, ": ", address.error().message)};
    }
    const auto reached = reach_controller(*address);
    return {reached.has_value(),
            concat(name, reached ? concat(" at ", address_text(*address)) : concat(": ", reached.error().message))};
}

/// One that answers is enough; of others it says what is wrong.
Finding controller_answers(const Chain& chain) {
    Finding all{false, ""};
    if (chain.controls) {
        all = reach_by_name(chain.node, address_of(chain.node));
    }
    for (const Other& other : chain.others) {
        const Finding one = reach_by_name(other.name, other.address);
        all.good = all.good || one.good;
        append(all.detail, all.detail.empty() ? "" : "; ", one.detail);
    }
    return all;
}

std::string offset_text(std::int64_t milliseconds) {
    const bool ahead = milliseconds >= 0;
    return concat(duration_text(Milliseconds(std::abs(milliseconds))), ahead ? " behind " : " ahead of ");
}

Finding judge(std::int64_t offset, std::string_view name) {
    constexpr std::int64_t kTolerated = 30'000;
    const bool good = std::abs(offset) <= kTolerated;
    return {good,
            concat(offset_text(offset), name, good ? "" : ": munge takes no message that is more than 300 s old")};
}

/// With the other controllers, those that answer: the first whose clock is another.
Finding clocks_agree(const Chain& chain) {
    Finding known{chain.controls, chain.controls ? "this is the controller" : ""};
    for (const Other& other : chain.others) {
        const auto offset = other.address ? clock_offset(*other.address) : std::unexpected(other.address.error());
        if (!offset) {
            known.detail = known.good ? known.detail : offset.error().message;
            continue;
        }
        known = judge(*offset, other.name);
        if (!known.good) {
            break;
        }
    }
    return known;
}

/// What the controller says of this node: "idle", "down*", ...
Finding node_takes_jobs(const Chain& chain) {
    if (!chain.computes) {
        return {true, "this node computes nothing"};
    }
    const Finding asked = run({"/usr/bin/sinfo", "--noheader", "--nodes", chain.node, "--format", "%T %E"});
    const std::string said = first_line(asked.detail);
    if (!asked.good || said.empty()) {
        return {false, asked.good ? concat("the controller does not know ", chain.node) : concat("sinfo ", said)};
    }
    const auto state = said.substr(0, said.find(' '));
    static constexpr std::array<std::string_view, 6> kGood{"idle",       "mixed",    "allocated",
                                                           "completing", "reserved", "planned"};
    const bool good = std::ranges::find(kGood, state) != kGood.end();
    return {good, good ? concat(chain.node, " is ", state) : concat(chain.node, " is ", said)};
}

Finding cgroups_for_jobs(const Chain& chain) {
    static constexpr std::string_view kNeeded = "cpuset cpu memory";
    if (!chain.computes) {
        return {true, "this node computes nothing"};
    }
    const auto given = read_file(concat(kCgroupRoot, "/system.slice/cgroup.subtree_control"));
    if (!given) {
        return {false, given.error().message};
    }
    const auto words = split_words(*given);
    std::string missing;
    for (const auto needed : split_words(kNeeded)) {
        missing += std::ranges::find(words, needed) == words.end() ? concat(" ", needed) : "";
    }
    return {missing.empty(), missing.empty() ? std::string("/system.slice hands down ") + std::string(kNeeded)
                                             : concat("/system.slice does not hand down:", missing)};
}

struct Check {
    std::string_view name;
    Finding (*look)(const Chain& chain);
    std::string_view remedy;
};

constexpr Check kChecks[] = {
    {"munge", munge_round_trip,
     "`thole logs slurm munge` says what is wrong; `thole restart slurm` makes the key anew"},
    {"slurm clock", clocks_agree,
     "the node and the controller need the same time: node.ini's [time] on both, `thole logs time`"},
    {"slurm controller", controller_answers,
     "node.ini's slurm.controller is its name in the mesh; there `thole status slurmctld`, and here `thole mesh ping`"},
    {"slurm node", node_takes_jobs,
     "`thole logs slurmd`; a node that is down or drained: `scontrol update nodename=NODE state=resume`"},
    {"slurm cgroups", cgroups_for_jobs,
     "a kernel with these controllers; a container needs --privileged or a delegated cgroup"},
};

}  // namespace

std::vector<DoctorRow> slurm_checks() {
    const auto config = running_config();
    if (!config || config->text("slurm.role").empty()) {
        return {};
    }
    Chain chain{.node = host_name(),
                .others = {},
                .controls = has_slurm_role(*config, "controller"),
                .computes = has_slurm_role(*config, "compute")};
    for (const std::string& name : controller_names(*config, chain.node)) {
        if (name != chain.node) {
            chain.others.push_back({name, address_of(name)});
        }
    }
    std::vector<DoctorRow> rows;
    for (const Check& check : kChecks) {
        rows.push_back({check.name, check.look(chain), check.remedy});
    }
    return rows;
}

}  // namespace thole::slurm
