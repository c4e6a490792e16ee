#include "os/event_loop.hpp"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>

namespace thole {

Result<EventLoop> EventLoop::make() {
    Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
    Fd timer(::timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK));
    epoll_event event{};
    event.events = EPOLLIN;  // no source: the timer's own
    if (!epoll || !timer || ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, timer.get(), &event) != 0) {
        return system_error("make", "an event loop");
    }
    return EventLoop(std::move(epoll), std::move(timer));
}

Status EventLoop::add(int fd, std::uint32_t events, EventSource& source) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = &source;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
        return system_error("watch", "a descriptor");
    }
    return {};
}

void EventLoop::change(int fd, std::uint32_t events, EventSource& source) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = &source;
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
}

void EventLoop::remove(int fd) { ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr); }

void EventLoop::arm(std::optional<Instant> deadline) {
    if (deadline == armed_) {
        return;
    }
    itimerspec when{};  // all zero: off
    if (deadline) {
        const std::int64_t milliseconds = std::max<std::int64_t>(deadline->milliseconds, 1);
        when.it_value.tv_sec = milliseconds / 1000;
        when.it_value.tv_nsec = milliseconds % 1000 * 1'000'000;
    }
    ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
    armed_ = deadline;
}

void EventLoop::wait(std::optional<Instant> deadline) {
    arm(deadline);
    epoll_event event{};
    if (::epoll_wait(epoll_.get(), &event, 1, -1) != 1) {
        return;
    }
    if (event.data.ptr != nullptr) {
        static_cast<EventSource*>(event.data.ptr)->on_events(event.events);
        return;
    }
    std::uint64_t expirations = 0;
    [[maybe_unused]] const auto count = ::read(timer_.get(), &expirations, sizeof expirations);
    armed_.reset();  // over: the same deadline would have to be set anew
}

}  // namespace thole
