// clone3(2) with CLONE_VM and a stack of its own, which the C library does not offer.
#pragma once

#include <linux/sched.h>

namespace thole {

/// Runs `entry(argument)` in a new process made from `arguments` (which must give a stack) and ends that process with
/// the value returned. In the parent: the pid, or a negative errno.
extern "C" long thole_clone3(clone_args* arguments, unsigned long size, int (*entry)(void*), void* argument);

}  // namespace thole
