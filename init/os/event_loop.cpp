#include "os/event_loop.hpp"

#include <sys/epoll.h>

#include <algorithm>

namespace thole {

Result<EventLoop> EventLoop::make() {
    Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll) {
        return system_error("make", "an epoll descriptor");
    }
    return EventLoop(std::move(epoll));
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

void EventLoop::wait(std::optional<Instant> deadline) {
    constexpr std::int64_t kLongest = 3'600'000;
    int timeout = -1;
    if (deadline) {
        timeout = static_cast<int>(std::clamp<std::int64_t>((*deadline - now()).count(), 0, kLongest));
    }
    epoll_event event{};
    if (::epoll_wait(epoll_.get(), &event, 1, timeout) == 1) {
        static_cast<EventSource*>(event.data.ptr)->on_events(event.events);
    }
}

}  // namespace thole
