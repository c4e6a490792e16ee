// Service cgroups in cgroup2 (kernel: Documentation/admin-guide/cgroup-v2.rst).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "os/fd.hpp"

namespace thole {

inline constexpr std::string_view kCgroupRoot = "/sys/fs/cgroup";

/// One cgroup by its path. Nothing is held open: a service costs no descriptor for it.
class Cgroup {
   public:
    /// PATH below the root ("services/kubelet"), which need not exist.
    explicit Cgroup(std::string_view path);

    /// Makes it where it is not there yet.
    static Result<Cgroup> make(std::string_view path);

    /// Opens its directory, so that a child can be cloned into it.
    [[nodiscard]] Result<Fd> open() const;

    [[nodiscard]] const std::string& path() const { return path_; }

    /// Writes into one of its files, such as memory.max.
    [[nodiscard]] Status set(std::string_view file, std::string_view value) const;

    /// SIGKILL to every process in it and below (cgroup.kill; each process by itself where the kernel has no such
    /// file).
    [[nodiscard]] Status kill() const;

    /// Whether a process lives in it or below. A cgroup that is gone is empty.
    [[nodiscard]] bool populated() const;

    /// How many processes the kernel has killed in it for lack of memory.
    [[nodiscard]] unsigned long oom_kills() const;

    /// A descriptor of cgroup.events: it gets EPOLLPRI when `populated` changes.
    [[nodiscard]] Result<Fd> open_events() const;

    /// Moves a process into it.
    [[nodiscard]] Status adopt(int pid) const;

   private:
    std::string path_;  // absolute, in the file system
};

/// PID 1's cgroup as its cgroup namespace shows it: "/" at first where the namespace was made for PID 1, "/init.scope"
/// where the cgroups below the root are PID 1's to use.
std::string own_cgroup();

/// The number behind "NAME " in a flat-keyed file such as cgroup.events; 0 where it is not there.
unsigned long flat_value(std::string_view text, std::string_view name);

/// Removes a cgroup and all that are left empty below it, depth first. A populated one stays, without an error.
void remove_cgroup_tree(const std::string& path);

/// The processes in a cgroup and everything below it, but for those that this PID namespace does not see.
std::vector<int> processes_below(const std::string& path);

}  // namespace thole
