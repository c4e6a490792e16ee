#include "log/log_channel.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstring>

#include "base/text.hpp"
#include "os/pipe.hpp"

namespace thole {

namespace {

constexpr std::int64_t kOwnSize = INT64_C(1) << 20;
constexpr int kOwnCount = 2;

void stop_waiting(int fd) { ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK); }

LogMessage message_for(LogMessage::Kind kind, std::string_view name) {
    LogMessage message;
    message.kind = kind;
    put_name(message.name, name);
    return message;
}

}  // namespace

std::vector<std::string> logger_command(const LogOptions& options) {
    std::vector<std::string> command{"/proc/self/exe", "logger"};
    if (options.kernel) {
        command.emplace_back("--kernel");
    }
    if (!options.forward.empty()) {
        for (const std::string_view word : {std::string_view("--forward"), std::string_view(options.forward),
                                            std::string_view("--format"), std::string_view(options.format)}) {
            command.emplace_back(word);
        }
    }
    return command;
}

/// Where the name is, or where it would have to be.
std::size_t LogChannel::place_of(std::string_view name) const {
    std::size_t first = 0;
    std::size_t last = pipes_.size();
    while (first < last) {
        const std::size_t middle = (first + last) / 2;
        if (pipes_[middle]->name < name) {
            first = middle + 1;
        } else {
            last = middle;
        }
    }
    return first;
}

LogPipe* LogChannel::find(std::string_view name) const {
    const std::size_t place = place_of(name);
    return place < pipes_.size() && pipes_[place]->name == name ? pipes_[place].get() : nullptr;
}

Status LogChannel::add(std::string name, std::int64_t size, int count) {
    if (LogPipe* known = find(name)) {
        if (known->size != size || known->count != count) {
            known->size = size;
            known->count = count;
            LogMessage message = message_for(LogMessage::Kind::change, name);
            message.size = size;
            message.count = count;
            if (known->sent && !send(message, -1)) {
                known->sent = false;  // the logger takes a second `add` as a change too
            }
        }
        return {};
    }
    auto made = make_pipe(concat("the log of ", name));
    if (!made) {
        return std::unexpected(made.error());
    }
    auto pipe = std::make_unique<LogPipe>();
    pipe->read_end = std::move(made->reader);
    pipe->write_end = std::move(made->writer);
    stop_waiting(pipe->read_end.get());  // the logger's end; the services' end waits
    std::erase(removed_, name);
    pipe->name = std::move(name);
    pipe->size = size;
    pipe->count = count;
    LogPipe& added = *pipe;
    pipes_.insert(pipes_.begin() + static_cast<std::ptrdiff_t>(place_of(added.name)), std::move(pipe));
    (void)send(added);
    return {};
}

void LogChannel::remove(std::string_view name) {
    const std::size_t place = place_of(name);
    if (place >= pipes_.size() || pipes_[place]->name != name || name == kOwnLog) {
        return;
    }
    if (pipes_[place]->sent && !send(message_for(LogMessage::Kind::remove, name), -1)) {
        removed_.emplace_back(name);
    }
    pipes_.erase(pipes_.begin() + static_cast<std::ptrdiff_t>(place));
}

int LogChannel::output_of(std::string_view name) const {
    const LogPipe* pipe = find(name);
    return pipe == nullptr ? -1 : pipe->write_end.get();
}

Result<Fd> LogChannel::connect() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
        return system_error("make a socket pair for", "the logger");
    }
    disconnect();
    logger_ = Fd(ends[0]);
    Fd other(ends[1]);
    stop_waiting(logger_.get());
    (void)open_own();
    send_pending();
    return other;
}

void LogChannel::disconnect() {
    if (watching_) {
        loop_->remove(logger_.get());
        watching_ = false;
    }
    logger_.reset();
    removed_.clear();
    pending_ = false;
    for (const auto& pipe : pipes_) {
        pipe->sent = false;
    }
}

void LogChannel::send_pending() {
    pending_ = false;
    while (!removed_.empty() && !pending_ && send(message_for(LogMessage::Kind::remove, removed_.back()), -1)) {
        removed_.pop_back();
    }
    for (const auto& pipe : pipes_) {
        if (pending_ || !logger_) {
            break;
        }
        if (!pipe->sent) {
            (void)send(*pipe);
        }
    }
    if (watching_ && !pending_) {
        loop_->remove(logger_.get());
        watching_ = false;
    }
}

void LogChannel::on_events(std::uint32_t /*events*/) { send_pending(); }

bool LogChannel::send(LogPipe& pipe) {
    LogMessage message = message_for(LogMessage::Kind::add, pipe.name);
    message.size = pipe.size;
    message.count = pipe.count;
    pipe.sent = send(message, pipe.read_end.get());
    return pipe.sent;
}

/// One message, with a descriptor where `fd` is not -1. What does not go now waits for room; where the logger has gone,
/// for the next connect().
bool LogChannel::send(const LogMessage& message, int fd) {
    if (!logger_) {
        return false;
    }
    iovec part{const_cast<LogMessage*>(&message), sizeof message};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    if (fd >= 0) {
        header.msg_control = control.data();
        header.msg_controllen = control.size();
        cmsghdr* rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int));
        std::memcpy(CMSG_DATA(rights), &fd, sizeof fd);
    }
    while (::sendmsg(logger_.get(), &header, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        if (errno == EINTR) {
            continue;
        }
        if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN) {
            disconnect();
            return false;
        }
        pending_ = true;
        // Edge-triggered: where something but room is missing (ETOOMANYREFS), it must not turn the loop.
        if (loop_ != nullptr && !watching_) {
            watching_ = loop_->add(logger_.get(), EPOLLOUT | EPOLLET, *this).has_value();
        }
        return false;
    }
    return true;
}

void LogChannel::show_tail(std::string_view name) {
    const LogPipe* pipe = find(name);
    if (logger_ && pipe != nullptr && pipe->sent) {
        const bool before = pending_;
        if (!send(message_for(LogMessage::Kind::show_tail, name), -1) && logger_) {
            pending_ = before || watching_;  // not sent later: by then other lines are the last
        }
    }
}

/// PID 1's own pipe: it keeps what is said before there is a logger and while there is none.
bool LogChannel::open_own() {
    if (own_ < 0 && add(std::string(kOwnLog), kOwnSize, kOwnCount)) {
        own_ = output_of(kOwnLog);
        stop_waiting(own_);
    }
    return own_ >= 0;
}

void LogChannel::write_own(std::string_view line) {
    constexpr std::size_t kLongest = PIPE_BUF - 128;  // all or nothing goes in, with the count of what was lost
    constexpr std::string_view kLost = " lines before this one were lost\n";
    if (!open_own()) {
        ++own_lost_;
        return;
    }
    line = line.substr(0, kLongest);
    std::array<char, 24> digits{};
    std::size_t width = 0;
    if (own_lost_ > 0) {
        width = static_cast<std::size_t>(std::to_chars(digits.data(), digits.data() + digits.size(), own_lost_).ptr -
                                         digits.data());
    }
    char end = '\n';
    const std::array<iovec, 4> parts{{{digits.data(), width},
                                      {const_cast<char*>(kLost.data()), width > 0 ? kLost.size() : 0},
                                      {const_cast<char*>(line.data()), line.size()},
                                      {&end, 1}}};
    if (::writev(own_, parts.data(), static_cast<int>(parts.size())) > 0) {
        own_lost_ = 0;
    } else {
        ++own_lost_;
    }
}

}  // namespace thole
