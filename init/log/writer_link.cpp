#include "log/writer_link.hpp"

#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "log/log_writer.hpp"
#include "os/pipe.hpp"

namespace thole {

namespace {

constexpr int kQueueBytes = 212'992;         // asked for; the kernel doubles it for its own bookkeeping
constexpr std::size_t kBatchCost = 768;      // bytes that the kernel counts for a message of no length
constexpr std::size_t kLittle = 16U << 10U;  // bytes in a round that everybody may have, as the kernel counts them
constexpr Milliseconds kRound{100};
constexpr Milliseconds kShortLife{1000};  // a writer that died sooner waits this long

bool wait_for(int fd, short events, Instant deadline) {
    pollfd waiting{fd, events, 0};
    const std::int64_t left = std::max<std::int64_t>((deadline - now()).count(), 0);
    return ::poll(&waiting, 1, static_cast<int>(left)) == 1;
}

/// In the new process: nothing of the logger stays open but the queue and the sign of life.
[[noreturn]] void become_writer(const LogPlaces& places, int queue, int alive) {
    constexpr int kQueue = 3;
    constexpr int kAlive = 4;
    const int high_queue = ::fcntl(queue, F_DUPFD, kAlive + 1);
    const int high_alive = ::fcntl(alive, F_DUPFD, kAlive + 1);
    ::dup2(high_queue, kQueue);
    ::dup2(high_alive, kAlive);
    ::syscall(SYS_close_range, kAlive + 1, ~0U, 0);
    ::_exit(log_writer_main(places, kQueue));
}

}  // namespace

Status WriterLink::start() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
        return system_error("make a socket pair for", "the log writer");
    }
    queue_ = Fd(ends[0]);
    other_end_ = Fd(ends[1]);
    ::setsockopt(queue_.get(), SOL_SOCKET, SO_SNDBUF, &kQueueBytes, sizeof kQueueBytes);
    int limit = 0;
    socklen_t size = sizeof limit;
    ::getsockopt(queue_.get(), SOL_SOCKET, SO_SNDBUF, &limit, &size);
    limit_ = static_cast<std::size_t>(limit);
    start_writer();
    return loop_.add(queue_.get(), 0, *this);
}

void WriterLink::start_writer() {
    again_.reset();
    started_ = now();
    auto pipe = make_pipe("the log's writer");
    if (!pipe) {
        again_ = started_ + kShortLife;
        return;
    }
    alive_ = std::move(pipe->reader);
    const Fd theirs = std::move(pipe->writer);
    const pid_t pid = ::fork();
    if (pid == 0) {
        become_writer(places_, other_end_.get(), theirs.get());
    }
    if (pid < 0 || !loop_.add(alive_.get(), EPOLLIN, *this)) {
        alive_.reset();
        again_ = started_ + kShortLife;
    }
}

bool WriterLink::has_room(WriterShare& share, std::size_t bytes) {
    int queued = 0;
    ::ioctl(queue_.get(), SIOCOUTQ, &queued);
    const auto size = static_cast<std::size_t>(queued);
    if (size * 4 <= limit_) {
        ++round_;
    }
    const Instant time = now();
    if (share.round != round_ || time - share.since > kRound) {
        share.round = round_;
        share.since = time;
        share.used = 0;
    }
    if (end_) {
        return true;
    }
    // Rounds go by while the writer is stuck: without `lost`, little by little a flood would take the last quarter too.
    if (share.lost == 0 && share.used + kBatchCost + bytes <= kLittle) {
        return size < limit_;
    }
    return share.used < limit_ / 4 && size < limit_ / 4 * 3;
}

bool WriterLink::send(WriterShare& share, LogBatch& batch, std::string_view lines) {
    batch.lost = share.lost;
    iovec parts[]{{&batch, sizeof batch}, {const_cast<char*>(lines.data()), lines.size()}};
    msghdr header{};
    header.msg_iov = parts;
    header.msg_iovlen = 2;
    while (::sendmsg(queue_.get(), &header, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        if (errno == EINTR || (errno == EAGAIN && end_ && wait_for(queue_.get(), POLLOUT, *end_))) {
            continue;
        }
        share.lost += count_lines(lines);
        want_room();
        return false;
    }
    share.lost = 0;
    share.used += kBatchCost + lines.size();
    return true;
}

void WriterLink::want_room() {
    if (!wanting_) {
        wanting_ = true;
        loop_.change(queue_.get(), EPOLLOUT, *this);
    }
}

void WriterLink::on_events(std::uint32_t events) {
    if ((events & EPOLLHUP) != 0) {
        loop_.remove(alive_.get());
        alive_.reset();
        if (now() - started_ < kShortLife) {
            again_ = now() + kShortLife;
        } else {
            start_writer();
        }
        return;
    }
    wanting_ = false;
    loop_.change(queue_.get(), 0, *this);
    ++round_;
    listener_.on_room();
}

void WriterLink::on_time() {
    if (again_ && *again_ <= now()) {
        start_writer();
    }
}

void WriterLink::finish() {
    if (!alive_) {
        start_writer();
    }
    queue_.reset();
    if (alive_) {
        (void)wait_for(alive_.get(), POLLIN, end_.value_or(now()));
    }
}

}  // namespace thole
