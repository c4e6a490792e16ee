#include "log/logger.hpp"

#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/text.hpp"
#include "log/forward_format.hpp"
#include "log/logger_process.hpp"

namespace thole {

namespace {

void keep_earlier(std::optional<Instant>& first, std::optional<Instant> other) {
    if (other && (!first || *other < *first)) {
        first = other;
    }
}

}  // namespace

Logger::Logger(EventLoop loop, const LoggerSettings& settings)
    : settings_(settings),
      loop_(std::move(loop)),
      console_(Console::open()),
      boot_(boot_number()),
      link_(loop_, settings.places, *this) {}

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
        drain(stream, now() + kLoggerEnd);
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

/// Everything that lies in the pipes goes to the writer, and the writer to its end; both within kLoggerEnd.
void Logger::finish() {
    const Instant deadline = now() + kLoggerEnd;
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
