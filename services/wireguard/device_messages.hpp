// WireGuard's messages to and from the kernel (linux/wireguard.h). No system calls.
#pragma once

#include "device.hpp"
#include "netlink_message.hpp"

namespace thole::mesh {

/// Joins the answers to one question into a device. Peers that do not fit one message go on in the next: neighbours
/// with one key are one peer.
class DeviceReader {
   public:
    Status take(const nlmsghdr& message);

    [[nodiscard]] bool found() const { return found_; }
    [[nodiscard]] Device& device() { return device_; }

   private:
    Status take_peers(NetlinkBytes list);
    Status take_peer(NetlinkBytes content);

    Device device_;
    bool found_ = false;
};

/// The number of a generic family, from the controller's answer; nothing where the message does not say.
std::optional<std::uint16_t> parse_family(const nlmsghdr& message);

/// Writes changes into as few messages as they fit in, one after the other. A peer that is cut inside its networks
/// goes on in the next with its key and the rest.
class PeerMessages {
   public:
    static constexpr std::size_t kSize = 8192;

    /// `family` is the number of WireGuard's; `limit` bounds each message.
    PeerMessages(std::uint16_t family, const std::string& link, std::span<const PeerChange> changes,
                 std::size_t limit = kSize)
        : family_(family), link_(link), changes_(changes), limit_(limit) {}

    /// The next message, or null after the last; it is good until the next call.
    nlmsghdr* next();

   private:
    bool put_peer();
    bool put_head(const PeerChange& change);
    bool put_networks(const PeerChange& change);

    std::uint16_t family_;
    const std::string& link_;
    std::span<const PeerChange> changes_;
    std::size_t limit_;
    std::size_t change_ = 0;   // the next to write
    std::size_t network_ = 0;  // the next of its networks
    bool continued_ = false;   // the message before began it
    nlmsghdr* message_ = nullptr;
    alignas(NLMSG_ALIGNTO) std::array<char, kSize> bytes_;
};

}  // namespace thole::mesh
