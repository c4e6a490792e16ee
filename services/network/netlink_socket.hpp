// What all talk with the kernel over netlink has in common: requests, their answers, and the words of its errors.
#pragma once

#include <linux/netlink.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "os/fd.hpp"

namespace thole {

/// A request in the making, aligned as netlink wants it. It is wiped when it goes, because some carry keys.
template <std::size_t kSize = 512>
struct NetlinkRequest {
    alignas(NLMSG_ALIGNTO) std::array<char, kSize> bytes;
};

/// One datagram of the kernel, or a part of it.
using NetlinkBytes = std::span<const char>;

/// Gets each message of an answer. An error ends nothing by itself: the rest of the answer is read and left out, then
/// the first error is what the request failed with.
using OnMessage = std::function<Status(const nlmsghdr& message)>;

/// An answer as it comes in, datagram by datagram.
class NetlinkAnswer {
   public:
    /// Answers to the request of that number, sent from the socket of that number (nl_pid).
    NetlinkAnswer(std::uint32_t sequence, std::uint32_t port, const OnMessage& on_message)
        : sequence_(sequence), port_(port), on_message_(on_message) {}

    void take(NetlinkBytes datagram);

    /// The last message was there: an acknowledgement, an error, or the end of a list.
    [[nodiscard]] bool complete() const { return complete_; }
    /// What was listed changed meanwhile: ask again.
    [[nodiscard]] bool interrupted() const { return interrupted_; }
    /// errno and the kernel's words; 0: it worked.
    [[nodiscard]] int code() const { return code_; }
    [[nodiscard]] const std::string& words() const { return words_; }
    /// What OnMessage said.
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

class NetlinkSocket {
   public:
    /// `protocol` is NETLINK_ROUTE or NETLINK_GENERIC.
    static Result<NetlinkSocket> open(int protocol);

    /// Sends a request and waits for its end, at most some seconds. `tried` and `on` are the words of the error, with
    /// errno and what the kernel says besides. A list that changed while it was read is an error with EINTR.
    Status request(nlmsghdr* message, const OnMessage& on_message, std::string_view tried, std::string_view on);

   private:
    NetlinkSocket(Fd socket, std::uint32_t port) : socket_(std::move(socket)), port_(port) {}

    Fd socket_;
    std::uint32_t port_;
    std::uint32_t sequence_ = 0;
};

}  // namespace thole
