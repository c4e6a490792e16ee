// Hears of jumps of the wall clock (timerfd_create(2), TFD_TIMER_CANCEL_ON_SET), which calendars must follow.
#pragma once

#include "os/event_loop.hpp"

namespace thole {

/// Who is told that the wall clock has jumped.
class ClockListener {
   public:
    virtual ~ClockListener() = default;
    virtual void on_clock_jump() = 0;
};

class ClockWatch : public EventSource {
   public:
    explicit ClockWatch(ClockListener& listener) : listener_(listener) {}

    /// Without it calendars only drift: no error.
    void open(EventLoop& loop);

    void on_events(std::uint32_t events) override;

   private:
    void arm();

    ClockListener& listener_;
    Fd timer_;
};

}  // namespace thole
