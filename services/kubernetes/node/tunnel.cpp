#include "tunnel.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace thole::kubernetes {

namespace {

bool is_passing(int error) { return error == EAGAIN || error == EINTR; }

}  // namespace

Tunnel::Tunnel(EventLoop& loop, Fd left, Fd right, std::function<void()> on_end)
    : loop_(loop), on_end_(std::move(on_end)) {
    left_.socket = std::move(left);
    right_.socket = std::move(right);
}

Tunnel::~Tunnel() { stop(); }

Status Tunnel::start() {
    for (End* const end : {&left_, &right_}) {
        if (auto added = loop_.add(end->socket.get(), EPOLLIN, *end); !added) {
            return added;
        }
    }
    return {};
}

void Tunnel::stop() {
    for (End* const end : {&left_, &right_}) {
        if (end->socket) {
            loop_.remove(end->socket.get());
            end->socket.reset();
        }
    }
}

void Tunnel::pass(std::uint32_t events) {
    if (ended_) {
        return;
    }
    const bool well = (events & EPOLLERR) == 0 && pass_from(left_, right_) && pass_from(right_, left_);
    if (!well || (left_.told && right_.told)) {
        ended_ = true;
        stop();
        on_end_();
        return;
    }
    watch(left_, right_);
    watch(right_, left_);
}

/// Reads once and writes once: what is left comes with the next event, so that no connection keeps the loop.
bool Tunnel::pass_from(End& from, End& to) {
    if (from.first == from.last && !from.finished) {
        const ssize_t count = ::recv(from.socket.get(), from.said.data(), from.said.size(), 0);
        if (count < 0 && !is_passing(errno)) {
            return false;
        }
        from.first = 0;
        from.last = count > 0 ? static_cast<std::size_t>(count) : 0;
        from.finished = count == 0;
    }
    if (from.first < from.last) {
        const ssize_t count =
            ::send(to.socket.get(), from.said.data() + from.first, from.last - from.first, MSG_NOSIGNAL);
        if (count < 0 && !is_passing(errno)) {
            return false;
        }
        from.first += count > 0 ? static_cast<std::size_t>(count) : 0;
    }
    if (from.finished && from.first == from.last && !from.told) {
        from.told = true;
        (void)::shutdown(to.socket.get(), SHUT_WR);
    }
    return true;
}

/// An end is heard as long as there is room for what it says, and told when there is something for it.
void Tunnel::watch(End& end, const End& other) {
    const std::uint32_t hear = end.first == end.last && !end.finished ? EPOLLIN : 0U;
    const std::uint32_t tell = other.first < other.last ? EPOLLOUT : 0U;
    loop_.change(end.socket.get(), hear | tell, end);
}

}  // namespace thole::kubernetes
