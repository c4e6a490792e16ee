#include "log/logger.hpp"

#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>
#include <vector>

#include "base/text.hpp"
#include "log/forward_format.hpp"
#include "log/forwarder.hpp"
#include "log/kernel_log.hpp"
#include "log/log_message.hpp"
#include "log/log_stream.hpp"
#include "log/tail.hpp"
#include "os/console.hpp"
#include "os/file.hpp"

namespace thole {

namespace {

constexpr std::size_t kTailLines = 5;
constexpr std::size_t kRingWrite = 16U << 10U;  // bytes put into a ring at once, about
constexpr std::size_t kKernelRecord = 128;      // bytes of a usual record
constexpr int kKernelRecords = 64;              // read before others have their turn
constexpr int kDrainReads = 64;                 // a service that goes on writing cannot hold the end up
constexpr Milliseconds kEnd{2000};

class Logger : public EventSource, public RoomListener, public StreamListener {
   public:
    Logger(EventLoop loop, const LoggerSettings& settings)
        : settings_(settings),
          loop_(std::move(loop)),
          console_(Console::open()),
          boot_(boot_number()),
          link_(loop_, settings.places, *this) {}

    int run();
    void on_events(std::uint32_t events) override;  // PID 1 and the kernel
    void on_room() override;
    void on_readable(LogStream& stream) override;

   private:
    struct KernelSource : EventSource {
        explicit KernelSource(Logger& owner) : logger(owner) {}
        void on_events(std::uint32_t /*events*/) override { logger.read_kernel(); }
        Logger& logger;
    };

    void open_kernel_log();
    void open_forwarder();
    void read_kernel();
    void take_message(const LogMessage& message, Fd pipe);
    LogStream* find(std::string_view name);
    LogStream& stream_of(std::string_view name);
    void add(const LogMessage& message, Fd pipe);
    void forget(LogStream& stream);
    enum class Read : unsigned char { some, nothing, end };
    Read read_pipe(LogStream& stream);
    void drain(LogStream& stream, Instant deadline);
    void deliver(LogStream& stream, LogTime time, unsigned priority, std::string_view lines, bool forwards);
    void hand_over(LogStream& stream, LogTime time, std::string_view lines);
    void say(std::string_view text);
    void show_tail(LogStream& stream);
    void hold(LogStream& stream);
    void release(LogStream& stream, Instant time);
    [[nodiscard]] std::optional<Instant> next_deadline();
    void on_time();
    void finish();

    const LoggerSettings& settings_;
    EventLoop loop_;
    Console console_;
    std::uint64_t boot_;
    WriterLink link_;
    KernelSource kernel_source_{*this};
    std::optional<KernelLog> kernel_;
    std::unique_ptr<Forwarder> forwarder_;
    std::vector<std::unique_ptr<LogStream>> streams_;  // by slot; empty ones may be taken
    std::size_t held_ = 0;                             // streams that wait for the writer
    std::string lines_;
    std::string stamped_;
    bool over_ = false;
};

void keep_earlier(std::optional<Instant>& first, std::optional<Instant> other) {
    if (other && (!first || *other < *first)) {
        first = other;
    }
}

int Logger::run() {
    if (!link_.start() || !loop_.add(settings_.connection, EPOLLIN, *this)) {
        return 1;
    }
    if (settings_.kernel) {
        open_kernel_log();
    }
    if (!settings_.forward.empty()) {
        open_forwarder();
    }
    while (!over_) {
        loop_.wait(next_deadline());
        on_time();
    }
    finish();
    return 0;
}

void Logger::open_kernel_log() {
    LogStream& stream = stream_of(kKernelLog);
    auto opened = KernelLog::open(settings_.places.kernel, stream.ring.mark());
    if (!opened) {
        say(opened.error().message);
        return;
    }
    kernel_.emplace(std::move(*opened));
    if (!loop_.add(kernel_->fd(), EPOLLIN, kernel_source_)) {
        kernel_.reset();
    }
}

void Logger::open_forwarder() {
    auto made = Forwarder::make(settings_.forward, settings_.format, loop_);
    if (made) {
        forwarder_ = std::move(*made);
    } else {
        say(concat("logs are not forwarded: ", made.error().message));
    }
}

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

void Logger::on_events(std::uint32_t /*events*/) {
    LogMessage message;
    iovec part{&message, sizeof message};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    const ssize_t size = ::recvmsg(settings_.connection, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (size < 0 && (errno == EINTR || errno == EAGAIN)) {
        return;
    }
    Fd pipe;
    if (const cmsghdr* rights = CMSG_FIRSTHDR(&header); rights != nullptr && rights->cmsg_type == SCM_RIGHTS) {
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(rights), sizeof fd);
        pipe = Fd(fd);
    }
    if (size != static_cast<ssize_t>(sizeof message)) {
        over_ = true;  // PID 1 is gone or has let go of us
        return;
    }
    message.name.back() = '\0';
    take_message(message, std::move(pipe));
}

void Logger::take_message(const LogMessage& message, Fd pipe) {
    if (message.kind == LogMessage::Kind::add) {
        add(message, std::move(pipe));
        return;
    }
    LogStream* stream = find(message.name.data());
    if (stream == nullptr) {
        return;
    }
    switch (message.kind) {
        case LogMessage::Kind::show_tail: show_tail(*stream); return;
        case LogMessage::Kind::change:
            stream->size = message.size;
            stream->count = message.count;
            return;
        case LogMessage::Kind::remove:
            stream->leaving = true;
            if (!stream->pipe) {
                forget(*stream);
            }
            return;
        case LogMessage::Kind::add: return;
    }
}

LogStream* Logger::find(std::string_view name) {
    for (const auto& stream : streams_) {
        if (stream && stream->name == name) {
            return stream.get();
        }
    }
    return nullptr;
}

LogStream& Logger::stream_of(std::string_view name) {
    if (LogStream* found = find(name)) {
        return *found;
    }
    std::uint32_t slot = 0;
    while (slot < streams_.size() && streams_[slot]) {
        ++slot;
    }
    if (slot == streams_.size()) {
        streams_.emplace_back();
    }
    streams_[slot] = std::make_unique<LogStream>(std::string(name), slot, settings_.places.ring(name), boot_, *this);
    return *streams_[slot];
}

void Logger::add(const LogMessage& message, Fd pipe) {
    LogStream& stream = stream_of(message.name.data());
    if (stream.pipe) {
        // An earlier pipe of the same name that somebody still holds: what is in it counts, what comes later does not.
        drain(stream, now() + kEnd);
        release(stream, now());
        loop_.remove(stream.pipe.get());
    }
    stream.size = message.size;
    stream.count = message.count;
    stream.leaving = false;
    stream.pipe = std::move(pipe);
    if (!loop_.add(stream.pipe.get(), EPOLLIN, stream)) {
        stream.pipe.reset();
    }
}

void Logger::forget(LogStream& stream) {
    lines_.clear();
    stream.cutter.finish(lines_);
    deliver(stream, LogTime::now(), kServicePriority, lines_, true);
    ::unlink(settings_.places.ring(stream.name).c_str());
    streams_[stream.slot].reset();
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
    drain(stream, now() + kEnd);
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

std::optional<Instant> Logger::next_deadline() {
    std::optional<Instant> next = link_.next_deadline();
    if (forwarder_) {
        keep_earlier(next, forwarder_->next_deadline());
    }
    for (std::size_t slot = 0; held_ > 0 && slot < streams_.size(); ++slot) {
        if (streams_[slot]) {
            keep_earlier(next, streams_[slot]->patience.end());
        }
    }
    return next;
}

void Logger::on_time() {
    link_.on_time();
    if (forwarder_) {
        forwarder_->on_time();
        if (const std::string news = forwarder_->take_news(); !news.empty()) {
            say(news);
        }
    }
    const Instant time = now();
    for (std::size_t slot = 0; held_ > 0 && slot < streams_.size(); ++slot) {
        if (streams_[slot] && streams_[slot]->patience.end() && *streams_[slot]->patience.end() <= time) {
            release(*streams_[slot], time);
        }
    }
}

/// Everything that lies in the pipes goes to the writer, and the writer to its end; both within kEnd.
void Logger::finish() {
    const Instant deadline = now() + kEnd;
    link_.begin_end(deadline);
    for (const auto& stream : streams_) {
        if (!stream) {
            continue;
        }
        drain(*stream, deadline);
        lines_.clear();
        stream->cutter.finish(lines_);
        deliver(*stream, LogTime::now(), kServicePriority, lines_, true);
        if (stream->share.lost > 0) {
            hand_over(*stream, LogTime::now(), {});
        }
    }
    if (kernel_) {
        read_kernel();
    }
    link_.finish();
}

}  // namespace

int run_logger(const LoggerSettings& settings) {
    // It ends with its connection, whoever else is told to end.
    for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGCHLD}) {
        ::signal(number, SIG_IGN);
    }
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;  // a pipe and a ring for each service
        ::setrlimit(RLIMIT_NOFILE, &files);
    }
    auto loop = EventLoop::make();
    return loop ? Logger(std::move(*loop), settings).run() : 1;
}

int logger_main(std::span<const std::string_view> arguments) {
    LoggerSettings settings;
    for (std::size_t at = 0; at < arguments.size(); ++at) {
        if (arguments[at] == "--kernel") {
            settings.kernel = true;
        } else if (arguments[at] == "--forward" && at + 1 < arguments.size()) {
            settings.forward = arguments[++at];
        } else if (arguments[at] == "--format" && at + 1 < arguments.size()) {
            settings.format = arguments[++at];
        }
    }
    return run_logger(settings);
}

}  // namespace thole
