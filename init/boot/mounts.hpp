// The file systems that the kernel and memory offer, before any disk.
#pragma once

#include "base/error.hpp"
#include "os/console.hpp"

namespace thole {

/// Mounts proc, sys, dev and what lies below them, run and tmp. What is mounted already (a container, devtmpfs by the
/// kernel) stays as it is; what this kernel does not have is reported where a service may miss it. An error where one
/// fails that nothing works without.
Status mount_kernel_file_systems(Console& console);

/// /etc: the image's files below, changes in memory.
Status mount_etc();

/// Mounts made from here on, and those made in pods' namespaces, are seen where Kubernetes expects them.
Status share_mounts();

}  // namespace thole
