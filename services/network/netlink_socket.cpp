#include "netlink_socket.hpp"

#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>

#include "base/text.hpp"
#include "os/clock.hpp"

namespace thole {

namespace {

constexpr std::size_t kAnswerSize = 8192;  // the kernel makes no datagram of a list larger than that
constexpr Milliseconds kPatience{10'000};

/// Wiped when it goes: the kernel tells private keys to those who may ask.
struct AnswerRoom {
    AnswerRoom() = default;
    ~AnswerRoom() { ::explicit_bzero(bytes.data(), bytes.size()); }
    AnswerRoom(const AnswerRoom&) = delete;
    AnswerRoom& operator=(const AnswerRoom&) = delete;

    alignas(NLMSG_ALIGNTO) std::array<char, kAnswerSize> bytes;
};

/// Where the kernel's words begin behind an error's number: an acknowledgement carries the request's header, or, where
/// the kernel was not told to leave it out, all of the request.
std::size_t words_offset(const nlmsghdr& message, NetlinkBytes content) {
    if (message.nlmsg_type == NLMSG_DONE) {
        return sizeof(int);
    }
    if (content.size() < sizeof(nlmsgerr)) {
        return content.size();
    }
    nlmsgerr error{};
    std::memcpy(&error, content.data(), sizeof error);
    const std::size_t request = (message.nlmsg_flags & NLM_F_CAPPED) != 0 || error.msg.nlmsg_len < sizeof error.msg
                                    ? 0
                                    : MNL_ALIGN(std::size_t{error.msg.nlmsg_len}) - sizeof error.msg;
    return sizeof error + request;
}

std::string kernel_words(const nlmsghdr& message, NetlinkBytes content) {
    const std::size_t offset = words_offset(message, content);
    if ((message.nlmsg_flags & NLM_F_ACK_TLVS) == 0 || offset >= content.size()) {
        return {};
    }
    Attributes attributes(content.subspan(offset));
    while (const auto attribute = attributes.next()) {
        if (attribute->type == NLMSGERR_ATTR_MSG) {
            return std::string(attribute->text());
        }
    }
    return {};
}

}  // namespace

void NetlinkAnswer::take(NetlinkBytes datagram) {
    while (!datagram.empty() && !complete_) {
        const nlmsghdr* message = thole::take_message(datagram);
        if (message == nullptr) {
            status_ = status_ ? failure("the kernel's answer is cut short") : status_;
            return;
        }
        if (message->nlmsg_seq == sequence_ && message->nlmsg_pid == port_) {
            take_message(*message);
        }
    }
}

void NetlinkAnswer::take_message(const nlmsghdr& message) {
    interrupted_ = interrupted_ || (message.nlmsg_flags & NLM_F_DUMP_INTR) != 0;
    if (message.nlmsg_type == NLMSG_ERROR || message.nlmsg_type == NLMSG_DONE) {
        take_end(message);
    } else if (message.nlmsg_type == NLMSG_OVERRUN) {
        complete_ = true;
        code_ = ENOBUFS;
    } else if (message.nlmsg_type >= NLMSG_MIN_TYPE && status_ && on_message_) {
        status_ = on_message_(message);
    }
}

void NetlinkAnswer::take_end(const nlmsghdr& message) {
    complete_ = true;
    const NetlinkBytes content = message_content(message);
    int code = 0;
    if (content.size() < sizeof code) {
        code_ = message.nlmsg_type == NLMSG_ERROR ? EBADMSG : 0;
        return;
    }
    std::memcpy(&code, content.data(), sizeof code);
    code_ = code < 0 && code > -4096 ? -code : code == 0 || message.nlmsg_type == NLMSG_DONE ? 0 : EBADMSG;
    words_ = kernel_words(message, content);
}

Result<NetlinkDatagram> receive_netlink(int fd, std::span<char> room, int flags) {
    sockaddr_nl sender{};
    iovec part{room.data(), room.size()};
    msghdr message{};
    message.msg_name = &sender;
    message.msg_namelen = sizeof sender;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    ssize_t size = -1;
    do {
        size = ::recvmsg(fd, &message, flags);
    } while (size < 0 && errno == EINTR);
    if (size < 0) {
        return std::unexpected(Error{{}, errno});
    }
    const bool from_kernel =
        message.msg_namelen == sizeof sender && sender.nl_family == AF_NETLINK && sender.nl_pid == 0;
    return NetlinkDatagram{NetlinkBytes(room).first(static_cast<std::size_t>(size)), from_kernel,
                           (message.msg_flags & MSG_TRUNC) == 0};
}

Result<NetlinkHandle> open_netlink(int protocol, unsigned groups) {
    NetlinkHandle socket(mnl_socket_open2(protocol, SOCK_CLOEXEC));
    if (!socket) {
        return system_error("open a socket for", "netlink");
    }
    if (mnl_socket_bind(socket.get(), groups, MNL_SOCKET_AUTOPID) != 0) {
        return system_error("bind a socket for", "netlink");
    }
    int yes = 1;
    // Without them errors have fewer words, and that is all.
    (void)mnl_socket_setsockopt(socket.get(), NETLINK_EXT_ACK, &yes, sizeof yes);
    (void)mnl_socket_setsockopt(socket.get(), NETLINK_CAP_ACK, &yes, sizeof yes);
    const timeval patience{std::chrono::duration_cast<std::chrono::seconds>(kPatience).count(), 0};
    if (::setsockopt(mnl_socket_get_fd(socket.get()), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0) {
        return system_error("set a time limit for", "netlink");
    }
    return socket;
}

Result<NetlinkSocket> NetlinkSocket::open(int protocol) {
    auto socket = open_netlink(protocol, 0);
    if (!socket) {
        return std::unexpected(socket.error());
    }
    return NetlinkSocket(std::move(*socket), protocol);
}

Status NetlinkSocket::receive(NetlinkAnswer& answer) {
    AnswerRoom room;
    const Instant deadline = now() + kPatience;
    while (!answer.complete()) {
        const auto datagram = receive_netlink(mnl_socket_get_fd(socket_.get()), room.bytes, 0);
        if (!datagram) {
            return std::unexpected(Error{{}, datagram.error().code == EAGAIN ? ETIMEDOUT : datagram.error().code});
        }
        if (!datagram->from_kernel) {
            continue;
        }
        if (!datagram->whole) {
            return std::unexpected(Error{{}, EMSGSIZE});
        }
        answer.take(datagram->content);
        if (now() >= deadline) {
            return std::unexpected(Error{{}, ETIMEDOUT});
        }
    }
    return {};
}

Status NetlinkSocket::request(nlmsghdr* message, const OnMessage& on_message, std::string_view tried,
                              std::string_view on) {
    if ((message->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP) {
        message->nlmsg_flags |= NLM_F_ACK;  // so that every answer has an end
    }
    message->nlmsg_seq = ++sequence_;
    if (mnl_socket_sendto(socket_.get(), message, message->nlmsg_len) < 0) {
        return system_error(tried, on);
    }
    NetlinkAnswer answer(sequence_, mnl_socket_get_portid(socket_.get()), on_message);
    if (const auto received = receive(answer); !received) {
        // What is left of the answer would be in the way of the next request.
        if (auto fresh = open_netlink(protocol_, 0)) {
            socket_ = std::move(*fresh);
        }
        return system_error(tried, on, received.error().code);
    }
    if (answer.code() != 0) {
        auto error = system_error(tried, on, answer.code());
        if (!answer.words().empty()) {
            append(error.error().message, " (the kernel: ", answer.words(), ")");
        }
        return error;
    }
    if (answer.interrupted()) {
        return std::unexpected(Error{concat("cannot ", tried, " ", on, ": it changed while it was read"), EINTR});
    }
    return answer.status() ? Status() : with_context(concat("cannot ", tried, " ", on), answer.status().error());
}

Status NetlinkSocket::request(nlmsghdr* message, std::string_view tried, std::string_view on, int ignored) {
    const auto done = request(message, {}, tried, on);
    return !done && ignored != 0 && done.error().code == ignored ? Status() : done;
}

}  // namespace thole
