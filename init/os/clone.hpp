// clone3(2) and clone(2) with CLONE_VM and a stack of its own. The C library does not offer the first, and musl refuses
// CLONE_CHILD_CLEARTID in the second.
#pragma once

#include <linux/sched.h>

namespace thole {

/// Runs `entry(argument)` in a new process made from `arguments` (which must give a stack) and ends that process with
/// the value returned. In the parent: the pid, or a negative errno.
extern "C" long thole_clone3(clone_args* arguments, unsigned long size, int (*entry)(void*), void* argument);

/// The same by clone(2), for where clone3 is refused. `stack_end` is a multiple of 16; `pidfd` and `word` are for
/// CLONE_PIDFD and CLONE_CHILD_CLEARTID.
extern "C" long thole_clone(unsigned long flags, void* stack_end, int* pidfd, void* word, int (*entry)(void*),
                            void* argument);

}  // namespace thole
