#include "daemon/clock_watch.hpp"

#include <sys/epoll.h>
#include <sys/timerfd.h>

#include <cerrno>
#include <limits>

namespace thole {

void ClockWatch::open(EventLoop& loop) {
    timer_ = Fd(::timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK));
    arm();
    (void)loop.add(timer_.get(), EPOLLIN, *this);
}

/// Set to a time that never comes: it only ends by a jump.
void ClockWatch::arm() {
    itimerspec never{};
    never.it_value.tv_sec = std::numeric_limits<std::int32_t>::max() * std::int64_t{4};
    ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, nullptr);
}

void ClockWatch::on_events(std::uint32_t /*events*/) {
    std::uint64_t expirations = 0;
    const bool jumped = ::read(timer_.get(), &expirations, sizeof expirations) < 0 && errno == ECANCELED;
    arm();
    if (jumped) {
        listener_.on_clock_jump();
    }
}

}  // namespace thole
