// SLURM's own configuration, from node.ini. No system calls.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "config/node_config.hpp"

namespace thole::slurm {

inline constexpr std::uint16_t kControllerPort = 6817;

/// What the controller needs to know besides node.ini.
struct Controller {
    std::string name;       // of this node
    std::string address;    // where others reach it
    bool has_more = false;  // /etc/slurm/more.conf is there
};

/// slurm.conf of the whole cluster; other nodes get it from the controller.
std::string slurm_conf(const NodeConfig& config, const Controller& controller);

/// slurmdbd.conf, where slurm.accounting is `database`.
std::string slurmdbd_conf(std::string_view controller);

/// cgroup.conf: cgroup2 without systemd.
std::string_view cgroup_conf();

/// What a compute node says of itself when it joins (`slurmd --conf`), of a machine with that much memory. What is not
/// here slurmd finds out by hwloc.
std::string node_line(const NodeConfig& config, std::int64_t memory_kib);

/// MiB that jobs may have where node.ini does not say it: the node's own services keep the rest.
std::int64_t memory_for_jobs(std::int64_t memory_kib);

}  // namespace thole::slurm
