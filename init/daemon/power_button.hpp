// The ACPI power button, read from the kernel's input device: there is no acpid and no logind.
#pragma once

#include <vector>

#include "os/event_loop.hpp"
#include "os/fd.hpp"

namespace thole {

/// Who is told that the button was pressed.
class PowerButtonListener {
   public:
    virtual ~PowerButtonListener() = default;
    virtual void on_power_button() = 0;
};

class PowerButton : public EventSource {
   public:
    explicit PowerButton(PowerButtonListener& listener) : listener_(listener) {}

    /// Opens every input device that has a power key; a machine without one has no button, which is no error.
    void open(EventLoop& loop);

    void on_events(std::uint32_t events) override;

   private:
    PowerButtonListener& listener_;
    std::vector<Fd> devices_;
};

}  // namespace thole
