#include "slurm_conf.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace thole::slurm {

namespace {

/// What is the same on every cluster. A node that was away takes part again by itself (ReturnToService), whatever the
/// reason. Nobody reads mail here.
constexpr std::string_view kFixed =
    "AuthType=auth/munge\n"
    "CredType=cred/munge\n"
    "SlurmUser=slurm\n"
    "SlurmctldParameters=enable_configless\n"
    "StateSaveLocation=/var/lib/slurm/controller\n"
    "SlurmdSpoolDir=/var/lib/slurm/node\n"
    "SlurmctldPidFile=/run/slurmctld/slurmctld.pid\n"
    "SlurmdPidFile=/run/slurmd.pid\n"
    "ProctrackType=proctrack/cgroup\n"
    "TaskPlugin=task/cgroup,task/affinity\n"
    "SelectType=select/cons_tres\n"
    "SelectTypeParameters=CR_Core_Memory\n"
    "JobAcctGatherType=jobacct_gather/cgroup\n"
    "ReturnToService=2\n"
    "GresTypes=gpu\n"
    "MailProg=/usr/bin/true\n"
    "RebootProgram=/usr/sbin/reboot\n"
    "Include users.conf\n";

std::int64_t number(const NodeConfig& config, std::string_view key) {
    return parse_integer(config.text(key), 0, INT64_MAX).value_or(0);
}

/// Whole units of a duration, at least one; 0 for an empty one.
std::int64_t units(const NodeConfig& config, std::string_view key, std::int64_t unit) {
    const auto duration = parse_duration(config.text(key));
    return duration && duration->count() > 0 ? std::max<std::int64_t>(duration->count() / unit, 1) : 0;
}

std::string partitions(const NodeConfig& config) {
    constexpr std::int64_t kMinute = 60'000;
    const auto minutes = units(config, "slurm.time-limit", kMinute);
    const std::string limit = minutes > 0 ? to_text(minutes) : "INFINITE";
    std::string text;
    bool first = true;
    for (const auto item : config.list("slurm.partitions")) {
        const auto fields = split(item, ':');
        std::string nodes = "ALL";
        if (fields.size() > 1) {
            nodes = concat("with_", fields[1]);
            const std::string set = concat("NodeSet=", nodes, " Feature=", fields[1], "\n");
            text += text.find(set) == std::string::npos ? set : "";
        }
        append(text, "PartitionName=", fields[0], " Nodes=", nodes, first ? " Default=YES" : "", " MaxTime=", limit,
               " State=UP\n");
        first = false;
    }
    return text;
}

}  // namespace

std::vector<std::string> controller_names(const NodeConfig& config, std::string_view own_name) {
    std::vector<std::string> names;
    for (const auto name : config.list("slurm.controller")) {
        names.emplace_back(name);
    }
    if (names.empty()) {
        names.emplace_back(own_name);
    }
    return names;
}

/// The same on all controllers: SLURM compares it.
std::string slurm_conf(const NodeConfig& config, const Cluster& cluster) {
    constexpr std::int64_t kSecond = 1000;
    const auto name = config.text("mesh.cluster");
    std::string text = "# made from node.ini of the controller\n";
    append(text, "ClusterName=", name.empty() ? "thole" : name, "\n");
    for (const Controller& controller : cluster.controllers) {
        append(text, "SlurmctldHost=", controller.name, "(", controller.address, ")\n");
    }
    append(text, "SlurmctldTimeout=", units(config, "slurm.controller-timeout", kSecond), "\n");
    append(text, "MaxNodeCount=", config.text("slurm.nodes"), "\n", kFixed);
    append(text, "SlurmdTimeout=", units(config, "slurm.node-timeout", kSecond), "\n");
    if (const auto memory = number(config, "slurm.memory-per-cpu"); memory > 0) {
        append(text, "DefMemPerCPU=", memory, "\n");
    }
    if (config.text("slurm.accounting") == "file") {
        text += "JobCompType=jobcomp/filetxt\nJobCompLoc=/var/log/slurm/jobs\n";
    } else if (config.text("slurm.accounting") == "database") {
        append(text, "AccountingStorageType=accounting_storage/slurmdbd\nAccountingStorageHost=",
               cluster.controllers.front().name, "\n");
    }
    // Names without a directory: the controller hands these programs out.
    text += config.text("slurm.prolog").empty() ? "" : "Prolog=prolog\n";
    text += config.text("slurm.epilog").empty() ? "" : "Epilog=epilog\n";
    text += partitions(config);
    return text += cluster.has_more ? "Include more.conf\n" : "";
}

std::string slurmdbd_conf(std::string_view controller) {
    return concat("AuthType=auth/munge\nSlurmUser=slurm\nDbdHost=", controller,
                  "\nPidFile=/run/slurmctld/slurmdbd.pid\nStorageType=accounting_storage/mysql\n"
                  "StorageHost=localhost\nStorageUser=slurm\nStorageLoc=slurm\n");
}

std::string_view cgroup_conf() {
    return "CgroupPlugin=cgroup/v2\n"
           "IgnoreSystemdOnFailure=yes\n"
           "EnableControllers=yes\n"
           "ConstrainCores=yes\n"
           "ConstrainRAMSpace=yes\n"
           "ConstrainSwapSpace=yes\n"
           "ConstrainDevices=yes\n";
}

std::int64_t memory_for_jobs(std::int64_t memory_kib) {
    constexpr std::int64_t kOwn = 128;   // MiB for the node's own services
    constexpr std::int64_t kShare = 50;  // and a fiftieth
    constexpr std::int64_t kStep = 16;   // a kernel that takes a little more must not make the node a smaller one
    const std::int64_t whole = memory_kib / 1024;
    const std::int64_t left = whole - kOwn - whole / kShare;
    return std::max(left / kStep * kStep, kStep);
}

std::string node_line(const NodeConfig& config, std::int64_t memory_kib, std::size_t gpus) {
    const auto memory = number(config, "slurm.memory");
    std::string line = concat("RealMemory=", memory > 0 ? memory : memory_for_jobs(memory_kib));
    if (const auto cpus = number(config, "slurm.cpus"); cpus > 0) {
        append(line, " CPUs=", cpus, " Boards=1 SocketsPerBoard=1 CoresPerSocket=", cpus, " ThreadsPerCore=1");
    }
    if (const auto features = config.text("slurm.features"); !features.empty()) {
        append(line, " Feature=", features);
    }
    if (gpus > 0) {
        append(line, " Gres=gpu:", gpus);
    }
    return line;
}

/// A path with a directory: SLURM hands the file out with this line in it, and not what it leads to.
std::string_view gres_conf() { return "Include /run/thole/gres.conf\n"; }

std::string own_gres_conf(std::string_view node, const std::vector<std::string>& gpus) {
    std::string text = "# device files of this node\n";  // an empty file is taken for one that is not written yet
    for (const std::string& file : gpus) {
        append(text, "NodeName=", node, " Name=gpu File=", file, "\n");
    }
    return text;
}

}  // namespace thole::slurm
