// Starts processes without waiting for their exec: PID 1 goes on while the new ones still set themselves up on its
// memory (CLONE_VM without CLONE_VFORK). So a start does not grow dearer with memory, the starts of many services
// overlap, and a program on a file system that hangs holds up nobody but itself.
//
// A launch owns all that its process reads, and its stack. Both are free when the kernel has set the launch's word to 0
// (CLONE_CHILD_CLEARTID), which it does at the exec and at the end of the process. Only then the outcome is known: the
// program runs, or the step that failed and why.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"
#include "os/clock.hpp"
#include "os/process.hpp"
#include "os/spawn_plan.hpp"

namespace thole {

class Launcher {
   public:
    /// How a launch ended: its program runs, or an error such as "cannot start /usr/bin/x: the new process could not
    /// execute it: No such file or directory".
    struct Outcome {
        pid_t pid = -1;
        std::optional<Error> error;
    };

    /// For at most so many launches at a time, 32 at the highest. Opens low descriptors, so it is to be made before
    /// thousands are open: a new process then copies but the beginning of the table.
    explicit Launcher(unsigned most = 16);
    ~Launcher();
    Launcher(const Launcher&) = delete;
    Launcher& operator=(const Launcher&) = delete;

    /// Begins a start. The program is looked for in the plan's PATH where its name has no slash. The process gets an
    /// empty signal mask, default signal actions, a session of its own and /dev/null as standard input. Where all
    /// launches are taken it waits a moment for one to end. Errors: their code is EAGAIN or ENOMEM where no process
    /// could be made and another try may succeed.
    Result<Process> begin(SpawnPlan plan);

    /// The next outcome that is known.
    std::optional<Outcome> take();

    /// Waits until the oldest launch has ended; false where it did not in that time.
    bool wait(Milliseconds at_most);

    /// A process was reaped: its launch is over, even where the kernel has not said so (some do not after a core dump).
    void ended(pid_t pid);

    /// Nothing is under way.
    [[nodiscard]] bool idle() const { return under_way_.empty(); }

    /// When the oldest launch that has not ended began; only where the launcher is not idle.
    [[nodiscard]] Instant oldest() const;

   private:
    struct Launch;

    Status find_place(Launch& launch);
    static Status prepare(Launch& launch);
    void place_descriptors(Launch& launch);
    long clone(Launch& launch, int& pidfd);
    [[nodiscard]] char* stack_of(const Launch& launch) const;
    void collect();

    Fd null_;
    std::vector<Fd> outputs_;                         // one a launch
    std::vector<std::unique_ptr<Launch>> under_way_;  // oldest first
    std::vector<Outcome> outcomes_;
    std::uint32_t taken_ = 0;  // a bit for each launch's place
    char* stacks_ = nullptr;   // mapped while something is under way
};

/// Starts one process and waits until its program runs.
Result<Process> spawn(SpawnPlan plan);

}  // namespace thole
