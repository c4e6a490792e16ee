// SLURM's own configuration, from node.ini. No system calls.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/node_config.hpp"

namespace thole::slurm {

inline constexpr std::uint16_t kControllerPort = 6817;

/// A node that controls, and where others reach it.
struct Controller {
    std::string name;
    std::string address;
};

/// What the controller needs to know besides node.ini.
struct Cluster {
    std::vector<Controller> controllers;  // the one in charge first
    bool has_more = false;                // /etc/slurm/more.conf is there
};

/// slurm.controller, or `own_name` where it is empty.
std::vector<std::string> controller_names(const NodeConfig& config, std::string_view own_name);

/// slurm.conf of the whole cluster; other nodes get it from the controller.
std::string slurm_conf(const NodeConfig& config, const Cluster& cluster);

/// slurmdbd.conf, where slurm.accounting is `database`.
std::string slurmdbd_conf(std::string_view controller);

/// cgroup.conf: cgroup2 without systemd.
std::string_view cgroup_conf();

/// What a compute node says of itself when it joins (`slurmd --conf`), of a machine with that much memory. What is not
/// here slurmd finds out by hwloc.
std::string node_line(const NodeConfig& config, std::int64_t memory_kib, std::size_t gpus);

/// gres.conf as the controller hands it out: each node looks into a file of its own.
std::string_view gres_conf();

/// A node's own part of it: the device files of its GPUs. SLURM reads it on the controller for other nodes too, so each
/// line says whose it is.
std::string own_gres_conf(std::string_view node, const std::vector<std::string>& gpus);

/// MiB that jobs may have where node.ini does not say it: the node's own services keep the rest.
std::int64_t memory_for_jobs(std::int64_t memory_kib);

}  // namespace thole::slurm
