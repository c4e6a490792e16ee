#include "log/log_channel.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/text.hpp"
#include "log/log_message.hpp"

namespace thole {

Status LogChannel::add(std::string name, std::int64_t size, int count) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        return system_error("make a log pipe for", name);
    }
    pipes_.push_back({std::move(name), size, count, Fd(ends[0]), Fd(ends[1])});
    send(pipes_.back());
    return {};
}

int LogChannel::output_of(std::string_view name) const {
    const auto found = std::ranges::find(pipes_, name, &LogPipe::name);
    return found == pipes_.end() ? -1 : found->write_end.get();
}

Result<Fd> LogChannel::connect() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
        return system_error("make a socket pair for", "the logger");
    }
    logger_ = Fd(ends[0]);
    Fd other(ends[1]);
    ::fcntl(logger_.get(), F_SETFL, O_NONBLOCK);
    for (const LogPipe& pipe : pipes_) {
        send(pipe);
    }
    return other;
}

/// A pipe that cannot be sent now stays here; its lines wait in the pipe until the next logger.
void LogChannel::send(const LogPipe& pipe) {
    if (!logger_) {
        return;
    }
    LogMessage message = make_log_message(LogMessage::Kind::add, pipe.name);
    message.size = pipe.size;
    message.count = pipe.count;
    iovec part{&message, sizeof message};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    const int fd = pipe.read_end.get();
    std::memcpy(CMSG_DATA(rights), &fd, sizeof fd);
    ::sendmsg(logger_.get(), &header, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void LogChannel::show_tail(std::string_view name) {
    if (logger_) {
        const LogMessage message = make_log_message(LogMessage::Kind::show_tail, name);
        ::send(logger_.get(), &message, sizeof message, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
}

}  // namespace thole
