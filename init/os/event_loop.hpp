// Waits for descriptors and for a deadline, one event at a time: a handler may remove any other source without harm.
#pragma once

#include <cstdint>
#include <optional>

#include "base/error.hpp"
#include "os/clock.hpp"
#include "os/fd.hpp"

namespace thole {

/// Something that a descriptor's events go to. It must be removed from the loop before it goes away.
class EventSource {
   public:
    virtual ~EventSource() = default;
    /// `events` as epoll(7) has them.
    virtual void on_events(std::uint32_t events) = 0;
};

class EventLoop {
   public:
    static Result<EventLoop> make();

    Status add(int fd, std::uint32_t events, EventSource& source);
    void change(int fd, std::uint32_t events, EventSource& source);
    void remove(int fd);

    /// Hands one event to its source; returns without one when the deadline is there. A timer on the boot clock wakes
    /// it (timerfd_create(2)), so that time spent suspended counts; nothing wakes it where there is nothing to do.
    void wait(std::optional<Instant> deadline);

   private:
    EventLoop(Fd epoll, Fd timer) : epoll_(std::move(epoll)), timer_(std::move(timer)) {}
    void arm(std::optional<Instant> deadline);

    Fd epoll_;
    Fd timer_;
    std::optional<Instant> armed_;
};

}  // namespace thole
