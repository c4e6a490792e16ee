// What happens when PID 1 itself breaks: never a kernel panic. It says what broke on the console and becomes a smaller
// program.
#pragma once

#include <string_view>

namespace thole {

/// From now on SIGSEGV and its like make PID 1 execute `init crashed SIGNAL`, on a stack of their own. Descriptors stay
/// open over it, so that the logger and the services' pipes live on.
void install_crash_handler();

/// `init crashed SIGNAL`: reaps orphans, answers on the control socket that it is broken, powers off on SIGTERM and the
/// command line's word and reboots on SIGINT (ctrl-alt-del). Services go on without supervision.
[[noreturn]] void crashed_main(std::string_view signal);

}  // namespace thole
