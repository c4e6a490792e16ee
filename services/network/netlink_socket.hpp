// What all talk with the kernel over netlink has in common: requests, their answers, and the words of its errors.
#pragma once

#include <cerrno>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "netlink_message.hpp"

namespace thole {

/// Gets each message of an answer. After an error the rest of the answer is read and left out.
using OnMessage = std::function<Status(const nlmsghdr& message)>;

/// An answer as it comes in, datagram by datagram. Messages that belong to no such request are left out.
class NetlinkAnswer {
   public:
    /// `sequence` is the request's number, `port` that of the socket it was sent from (nl_pid).
    NetlinkAnswer(std::uint32_t sequence, std::uint32_t port, const OnMessage& on_message)
        : sequence_(sequence), port_(port), on_message_(on_message) {}

    void take(NetlinkBytes datagram);

    /// The last message was there: an acknowledgement, an error, or the end of a list.
    [[nodiscard]] bool complete() const { return complete_; }
    /// What was listed has changed meanwhile.
    [[nodiscard]] bool interrupted() const { return interrupted_; }
    /// errno; 0: the kernel did it.
    [[nodiscard]] int code() const { return code_; }
    /// What the kernel says besides; mostly empty.
    [[nodiscard]] const std::string& words() const { return words_; }
    /// The first error of OnMessage, or of a message that is not whole.
    [[nodiscard]] const Status& status() const { return status_; }

   private:
    void take_message(const nlmsghdr& message);
    void take_end(const nlmsghdr& message);

    std::uint32_t sequence_;
    std::uint32_t port_;
    const OnMessage& on_message_;
    bool complete_ = false;
    bool interrupted_ = false;
    int code_ = 0;
    std::string words_;
    Status status_;
};

/// One datagram for a netlink socket, of whoever sent it.
struct NetlinkDatagram {
    NetlinkBytes content;
    bool from_kernel = false;
    bool whole = true;
};

/// Reads one datagram into `room`; `flags` are those of recv(2). The error has its errno, and that is all.
Result<NetlinkDatagram> receive_netlink(int fd, std::span<char> room, int flags);

struct CloseNetlink {
    void operator()(mnl_socket* socket) const { mnl_socket_close(socket); }
};
using NetlinkHandle = std::unique_ptr<mnl_socket, CloseNetlink>;

/// A bound socket; `groups` are the multicast groups that it hears, a bit each.
Result<NetlinkHandle> open_netlink(int protocol, unsigned groups);

class NetlinkSocket {
   public:
    /// `protocol` is NETLINK_ROUTE or NETLINK_GENERIC.
    static Result<NetlinkSocket> open(int protocol);

    /// Sends a request and reads its answer, for ten seconds at most. `tried` and `on` are the words of the error, with
    /// errno and what the kernel says besides. Where what is listed changes meanwhile, the error's code is EINTR.
    Status request(nlmsghdr* message, const OnMessage& on_message, std::string_view tried, std::string_view on);

    /// The same where nothing but success is awaited. `ignored` is an errno that is as good.
    Status request(nlmsghdr* message, std::string_view tried, std::string_view on, int ignored = 0);

   private:
    NetlinkSocket(NetlinkHandle socket, int protocol) : socket_(std::move(socket)), protocol_(protocol) {}

    Status receive(NetlinkAnswer& answer);

    NetlinkHandle socket_;
    int protocol_;
    std::uint32_t sequence_ = 0;
};

/// Reads again while what is read changes; `read` returns a Result and keeps nothing of the try before.
template <typename Read>
auto read_settled(const Read& read) {
    constexpr int kTries = 10;
    auto result = read();
    for (int tries = 1; tries < kTries && !result && result.error().code == EINTR; ++tries) {
        result = read();
    }
    return result;
}

}  // namespace thole
