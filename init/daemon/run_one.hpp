// `thole run-one -- PROGRAM ARGUMENT...`: the smallest init for a container with one program.
#pragma once

#include <span>

namespace thole {

/// Runs the program as a child in a process group of its own, with the terminal if there is one; hands every signal on
/// to it; takes the exit statuses of orphans; ends when it ends, with its exit status, or 128 and the signal's number.
/// Returns 2 for a wrong call, 126 or 127 where the program cannot be executed or found, as shells do.
int run_one_main(std::span<char*> arguments);

}  // namespace thole
