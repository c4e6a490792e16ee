#include "log/forwarder.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/text.hpp"
#include "log/forward_format.hpp"
#include "log/log_places.hpp"

namespace thole {

namespace {

constexpr std::size_t kQueue = 64U << 10U;  // bytes that wait for a TCP peer
constexpr Milliseconds kFirstDelay{1000};
constexpr Milliseconds kLongestDelay{60'000};
constexpr Milliseconds kSteady{
    10'000};  // a connection that lasted so long is a good one; and between two counts of loss

}  // namespace

Result<std::unique_ptr<Forwarder>> Forwarder::make(std::string_view target, std::string_view format, EventLoop& loop) {
    const bool stream = target.starts_with("tcp:");
    if (!stream && !target.starts_with("udp:")) {
        return failure(concat("'", target, "' is not udp:ADDRESS:PORT or tcp:ADDRESS:PORT"));
    }
    if (format != "syslog" && format != "json") {
        return failure(concat("'", format, "' is not syslog or json"));
    }
    auto address = parse_internet_address(target.substr(4));
    if (!address) {
        return std::unexpected(address.error());
    }
    std::unique_ptr<Forwarder> made(new Forwarder(loop, *address, std::string(target)));
    made->stream_ = stream;
    made->json_ = format == "json";
    made->connect();
    return made;
}

void Forwarder::connect() {
    again_.reset();
    fd_ = Fd(
        ::socket(address_.storage.ss_family, (stream_ ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const auto* where = reinterpret_cast<const sockaddr*>(&address_.storage);
    if (!fd_ || (::connect(fd_.get(), where, address_.size) != 0 && errno != EINPROGRESS)) {
        disconnect(errno);
        return;
    }
    if (!stream_) {
        up_ = true;
        since_ = now();
        say_lost();
        return;
    }
    if (!loop_.add(fd_.get(), EPOLLIN | EPOLLOUT, *this)) {
        disconnect(ENOMEM);
    }
}

/// A message that was sent in part is sent again from its start.
void Forwarder::disconnect(int error) {
    if (fd_ && stream_) {
        loop_.remove(fd_.get());
    }
    fd_.reset();
    if (delay_ == Milliseconds(0) || (up_ && now() - since_ >= kSteady)) {
        delay_ = Milliseconds(0);
        news_ = concat("forwarding to ", target_, " is interrupted: ", std::strerror(error));
    }
    up_ = false;
    sent_ = 0;
    delay_ = std::clamp(delay_ * 2, kFirstDelay, kLongestDelay);
    again_ = now() + delay_;
}

void Forwarder::say_lost() {
    if (lost_ > 0 && now() >= next_count_) {
        next_count_ = now() + kSteady;
        news_ = concat(lost_, " lines were not forwarded to ", target_);
        lost_ = 0;
        put(kOwnLog, LogTime::now(), kServicePriority, news_);
    }
}

void Forwarder::send(std::string_view log, LogTime time, unsigned priority, std::string_view lines) {
    while (!lines.empty()) {
        const auto end = std::min(lines.find('\n'), lines.size());
        put(log, time, priority, lines.substr(0, end));
        lines.remove_prefix(std::min(end + 1, lines.size()));
    }
    if (stream_ && up_) {
        flush();
    }
}

void Forwarder::put(std::string_view log, LogTime time, unsigned priority, std::string_view text) {
    utsname system{};
    ::uname(&system);
    const ForwardLine line{time, priority, system.nodename, log, text};
    std::string message = json_ ? json_message(line) : syslog_message(line);
    if (!stream_) {
        // ECONNREFUSED is the answer to an earlier datagram: this one was not sent either.
        if (!up_ || ::send(fd_.get(), message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
            ++lost_;
        } else if (lost_ > 0) {
            say_lost();
        }
        return;
    }
    if (queue_.size() + message.size() > kQueue) {
        ++lost_;
        return;
    }
    const std::size_t before = queue_.size();
    queue_ += json_ ? concat(message, "\n") : concat(message.size(), " ", message);
    sizes_.push_back(static_cast<std::uint32_t>(queue_.size() - before));
}

void Forwarder::flush() {
    while (sent_ < queue_.size()) {
        const ssize_t done =
            ::send(fd_.get(), queue_.data() + sent_, queue_.size() - sent_, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done < 0 && errno != EAGAIN) {
            disconnect(errno);
            return;
        }
        if (done < 0) {
            break;
        }
        sent_ += static_cast<std::size_t>(done);
    }
    // Only whole messages leave the queue.
    std::size_t gone = 0;
    std::size_t messages = 0;
    while (messages < sizes_.size() && gone + sizes_[messages] <= sent_) {
        gone += sizes_[messages++];
    }
    queue_.erase(0, gone);
    sent_ -= gone;
    sizes_.erase(sizes_.begin(), sizes_.begin() + static_cast<std::ptrdiff_t>(messages));
    if (queue_.empty()) {
        queue_ = std::string();  // gives its memory back
        say_lost();
    }
    loop_.change(fd_.get(), sent_ < queue_.size() ? EPOLLIN | EPOLLOUT : EPOLLIN, *this);
}

void Forwarder::on_events(std::uint32_t events) {
    if (!up_) {
        int error = 0;
        socklen_t size = sizeof error;
        ::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
        if (error != 0) {
            disconnect(error);
            return;
        }
        up_ = true;
        since_ = now();
        flush();
        return;
    }
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
        std::array<char, 256> unused;
        const ssize_t size = ::recv(fd_.get(), unused.data(), unused.size(), MSG_DONTWAIT);
        if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR)) {
            disconnect(size == 0 ? ECONNRESET : errno);
            return;
        }
    }
    if ((events & EPOLLOUT) != 0) {
        flush();
    }
}

void Forwarder::on_time() {
    if (again_ && *again_ <= now()) {
        connect();
    }
}

std::string Forwarder::take_news() { return std::exchange(news_, std::string()); }

}  // namespace thole
