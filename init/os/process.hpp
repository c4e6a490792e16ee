// A process that may be signalled without hitting another one: by pidfd, never by a number that could be used again.
#pragma once

#include <sys/types.h>

#include "os/cgroup.hpp"
#include "os/fd.hpp"

namespace thole {

struct Process {
    pid_t pid = -1;
    Fd pidfd;

    explicit operator bool() const { return pid > 0; }
};

/// pidfd_open(2); a Process without a number where it is gone.
Process open_process(pid_t pid);

/// Sends a signal. Nothing happens where the process is gone.
void signal_process(const Process& process, int signal);

/// Sends a signal, and SIGCONT after it, to every process of a cgroup and below. `main` is one that is known. Any other
/// is opened first and must still be in the cgroup then, so that a number used again elsewhere is never hit.
void signal_cgroup(const Cgroup& cgroup, const Process& main, int signal);

}  // namespace thole
