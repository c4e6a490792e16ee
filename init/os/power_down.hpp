// The end of the machine: no process, no dirty file system, then power. May wait, within bounds: nothing else is going
// on then.
#pragma once

#include <chrono>
#include <cstdint>

#include "os/console.hpp"

namespace thole {

/// SIGRTMIN+3, with which container engines stop what they take for a systemd, as glibc counts: musl's SIGRTMIN is
/// another.
inline constexpr int kEnginesHalt = 37;

enum class PowerAction : std::uint8_t { power_off, reboot, halt };

/// Ends what is left outside the services (pods, jobs): SIGTERM, `grace` to go, then SIGKILL.
void end_all_processes(Console& console, std::chrono::milliseconds grace);

/// Unmounts what can be unmounted, last mounted first, and makes the rest read-only. Not for a container: its mounts go
/// with it, and the file systems below them are its host's.
void release_file_systems(Console& console);

/// Syncs and hands the machine to the kernel (reboot(2)); in a container PID 1 just exits, with `exit_code`.
[[noreturn]] void power_down(PowerAction action, bool in_container, int exit_code = 0);

}  // namespace thole
