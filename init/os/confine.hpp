// What a new process takes from itself before its program runs: writable paths, users, capabilities. Runs between clone
// and exec on memory shared with PID 1: no allocation, no locks.
#pragma once

#include "base/process_settings.hpp"
#include "os/accounts.hpp"

namespace thole {

/// Gives the process a view of the file system of its own where `confinement` asks for one (mount_namespaces(7)).
/// Returns the step that failed, with errno, or nullptr.
const char* confine_file_system(const Confinement& confinement);

/// setrlimit(2) for each of the limits. Returns the step that failed, or nullptr.
const char* set_limits(const Confinement& confinement);

/// Becomes the account's user with no more capabilities than asked for. `confinement` may be null. Returns the step
/// that failed, or nullptr.
const char* take_account(const Account& account, const Confinement* confinement);

}  // namespace thole
