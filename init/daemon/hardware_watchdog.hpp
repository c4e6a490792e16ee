// The machine's watchdog device, fed from PID 1's event loop: a node whose PID 1 hangs is reset by its hardware
// (kernel: Documentation/watchdog/watchdog-api.rst).
#pragma once

#include <optional>
#include <string>

#include "base/text.hpp"
#include "os/clock.hpp"
#include "os/console.hpp"
#include "os/fd.hpp"

namespace thole {

class HardwareWatchdog {
   public:
    /// Opens the device and sets its time; says on the console what it got, or why there is none.
    void open(Console& console, const std::string& device, Milliseconds time);

    /// Feeds it when half of its time is over.
    void on_time();
    [[nodiscard]] std::optional<Instant> next_deadline() const { return next_; }

    /// For the way down, when the loop does not run any more: the device gets time enough for it and one meal, so that
    /// a machine that cannot power off is reset. One that cannot be given so much is switched off.
    void prepare_shutdown();

   private:
    void feed();

    Fd device_;
    Milliseconds time_{0};
    std::optional<Instant> next_;
};

}  // namespace thole
