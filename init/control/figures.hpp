// What the kernel says about a service's cgroup (Documentation/admin-guide/cgroup-v2.rst). -1 stands for "not known".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace thole {

struct CgroupFigures {
    std::int64_t memory = -1;       // bytes
    std::int64_t memory_peak = -1;  // bytes
    std::int64_t processes = -1;    // processes and threads
    std::int64_t cpu = -1;          // microseconds, as all of the CPU's
    std::int64_t cpu_user = -1;
    std::int64_t cpu_system = -1;
    std::int64_t throttled = -1;
    std::int64_t oom_kills = -1;
    std::int64_t read = -1;  // bytes, of all disks
    std::int64_t written = -1;
};

/// The directory of a service's cgroup.
std::string cgroup_of(std::string_view unit);

CgroupFigures read_figures(const std::string& directory);

/// Only memory.current.
std::int64_t memory_of(std::string_view unit);

/// The sum of all "NAME=NUMBER" in a nested-keyed file such as io.stat; -1 where there is none.
std::int64_t nested_sum(std::string_view text, std::string_view name);

}  // namespace thole
