// What a new process takes from itself before its program runs: writable paths, users, capabilities. Runs between clone
// and exec on memory shared with PID 1, which goes on meanwhile: no allocation, no locks, no errno.
#pragma once

#include "base/process_settings.hpp"
#include "os/accounts.hpp"

namespace thole {

/// What a new process could not do, and the errno value that says why; `step` is null where all went well.
struct FailedStep {
    const char* step = nullptr;
    int code = 0;

    explicit operator bool() const { return step != nullptr; }
};

/// Gives the process a view of the file system of its own where `confinement` asks for one (mount_namespaces(7)).
FailedStep confine_file_system(const Confinement& confinement);

/// setrlimit(2) for each of the limits.
FailedStep set_limits(const Confinement& confinement);

/// Becomes the account's user with no more capabilities than asked for. `confinement` may be null.
FailedStep take_account(const Account& account, const Confinement* confinement);

}  // namespace thole
