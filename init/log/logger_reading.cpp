#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/text.hpp"
#include "log/forward_format.hpp"
#include "log/logger_process.hpp"
#include "log/tail.hpp"

namespace thole {

namespace {

constexpr std::size_t kTailLines = 5;
constexpr std::size_t kRingWrite = 16U << 10U;  // bytes put into a ring at once, about
constexpr std::size_t kKernelRecord = 128;      // bytes of a usual record
constexpr int kKernelRecords = 64;              // read before others have their turn
constexpr int kDrainReads = 64;                 // a service that goes on writing cannot hold the end up

}  // namespace

/// The kernel's own time of a record, put into today's wall clock.
void Logger::read_kernel() {
    LogStream& stream = stream_of(kKernelLog);
    for (int count = 0; count < kKernelRecords; ++count) {
        if (!link_.has_room(stream.share, kKernelRecord) && !stream.patience.exhausted()) {
            hold(stream);
            return;
        }
        const auto record = kernel_->read();
        if (!record) {
            break;
        }
        const LogTime time = LogTime::now();
        lines_.clear();
        if (kernel_->missed() > 0) {
            lines_ =
                concat("thole: ", kernel_->missed(), " messages before this one were written over by the kernel\n");
        }
        lines_ += record->text;
        lines_ += '\n';
        stream.ring.set_mark(kernel_->next());
        deliver(stream, {time.wall - time.boot + record->boot, record->boot}, record->priority, lines_, true);
    }
    if (kernel_->broken()) {
        loop_.remove(kernel_->fd());
        kernel_.reset();
    }
}

void Logger::on_readable(LogStream& stream) {
    int waiting = static_cast<int>(kRead);
    ::ioctl(stream.pipe.get(), FIONREAD, &waiting);
    if (!stream.patience.exhausted() && !link_.has_room(stream.share, static_cast<std::size_t>(waiting))) {
        hold(stream);
        return;
    }
    if (read_pipe(stream) == Read::end) {
        loop_.remove(stream.pipe.get());
        stream.pipe.reset();
        if (stream.leaving) {
            forget(stream);
        }
    }
}

Logger::Read Logger::read_pipe(LogStream& stream) {
    static std::array<char, kRead> buffer;
    const ssize_t count = ::read(stream.pipe.get(), buffer.data(), buffer.size());
    if (count <= 0) {
        return count < 0 && (errno == EAGAIN || errno == EINTR) ? Read::nothing : Read::end;
    }
    lines_.clear();
    stream.cutter.take({buffer.data(), static_cast<std::size_t>(count)}, lines_);
    deliver(stream, LogTime::now(), kServicePriority, lines_, true);
    return Read::some;
}

/// Reads what lies in the pipe now.
void Logger::drain(LogStream& stream, Instant deadline) {
    for (int count = 0; stream.pipe && count < kDrainReads && now() < deadline; ++count) {
        if (read_pipe(stream) != Read::some) {
            return;
        }
    }
}

void Logger::deliver(LogStream& stream, LogTime time, unsigned priority, std::string_view lines, bool forwards) {
    if (lines.empty()) {
        return;
    }
    for (std::string_view rest = lines; !rest.empty();) {
        stamped_.clear();
        const std::size_t count = stamp_lines(rest, time, kRingWrite, stamped_);
        stream.ring.append(stamped_, count);
    }
    hand_over(stream, time, lines);
    if (forwarder_ && forwards) {
        forwarder_->send(stream.name, time, priority, lines);
    }
}

void Logger::hand_over(LogStream& stream, LogTime time, std::string_view lines) {
    LogBatch batch;
    batch.time = time;
    batch.size = stream.size;
    batch.count = stream.count;
    batch.slot = stream.slot;
    put_name(batch.name, stream.name);
    if (!lines.empty() && !link_.has_room(stream.share, lines.size())) {
        stream.share.lost += count_lines(lines);
        link_.want_room();
        return;
    }
    (void)link_.send(stream.share, batch, lines);  // what does not get in is counted
}

/// A line of the logger's own in the log of PID 1. It is not forwarded: what it says may be about forwarding.
void Logger::say(std::string_view text) {
    deliver(stream_of(kOwnLog), LogTime::now(), kServicePriority, concat("logger: ", text, "\n"), false);
}

/// What a failed service said last may still lie in its pipe.
void Logger::show_tail(LogStream& stream) {
    drain(stream, now() + kLoggerEnd);
    for (const std::string& line : last_ring_lines(settings_.places.ring(stream.name), boot_, kTailLines)) {
        console_.line(concat("        ", stream.name, ": ", line));
    }
}

/// Leaves a stream unread until the writer has caught up or its patience ends.
void Logger::hold(LogStream& stream) {
    loop_.remove(stream.pipe ? stream.pipe.get() : kernel_->fd());
    stream.patience.begin(now());
    ++held_;
    link_.want_room();
}

void Logger::release(LogStream& stream, Instant time) {
    if (!stream.patience.end()) {
        return;
    }
    stream.patience.finish(time);
    --held_;
    if (stream.pipe) {
        (void)loop_.add(stream.pipe.get(), EPOLLIN, stream);
    } else if (kernel_) {
        (void)loop_.add(kernel_->fd(), EPOLLIN, kernel_source_);
    }
}

void Logger::on_room() {
    const Instant time = now();
    for (const auto& stream : streams_) {
        if (!stream) {
            continue;
        }
        if (stream->share.lost > 0) {
            hand_over(*stream, LogTime::now(), {});
        }
        release(*stream, time);
        stream->patience.renew(time);
    }
}

}  // namespace thole
