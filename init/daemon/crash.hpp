// What happens when PID 1 itself breaks: never a kernel panic. It says what broke on the console and becomes a smaller
// program.
#pragma once

namespace thole {

/// From now on SIGSEGV and its like make PID 1 execute `init crashed`, on a stack of their own.
void install_crash_handler();

/// `init crashed`: reaps orphans, powers off on SIGTERM and reboots on SIGINT (ctrl-alt-del). Services go on without
/// supervision.
[[noreturn]] void crashed_main();

}  // namespace thole
