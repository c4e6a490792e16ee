// The kernel's WireGuard links: reading them and changing them, over generic netlink (linux/wireguard.h).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "config/address.hpp"
#include "crypto.hpp"
#include "netlink_socket.hpp"
#include "wire.hpp"

namespace thole::mesh {

/// A peer as the kernel has it.
struct DevicePeer {
    PublicKey key;
    std::optional<Endpoint> endpoint;  // where its last authentic packet came from, or what was set
    std::chrono::seconds keepalive{};  // 0: none
    std::vector<Network> allowed;
    std::uint64_t sent = 0;                          // bytes
    std::uint64_t received = 0;                      // bytes
    std::optional<std::uint64_t> handshake_seconds;  // when the last one was, by CLOCK_REALTIME; nothing: never
};

struct Device {
    unsigned index = 0;
    PublicKey key;  // zeros: it has none yet
    std::uint16_t port = 0;
    std::vector<DevicePeer> peers;
};

/// What is to become of one peer. What is not there stays as it is; a peer that the link does not have is made.
struct PeerChange {
    PublicKey key;
    bool remove = false;
    std::optional<Endpoint> endpoint;
    std::optional<std::chrono::seconds> keepalive;
    std::optional<std::vector<Network>> allowed;  // in place of all that it had
};

class WireGuard {
   public:
    /// Asks the kernel for the family. Where it has none the error says so.
    static Result<WireGuard> open();

    Result<Device> read(const std::string& link);

    /// The link's private key and port. No peer of the link changes; the kernel removes one that has the same key.
    Status set_identity(const std::string& link, const PrivateKey& key, std::uint16_t port);

    /// Makes the changes in their order, in as many messages as they need. An error in the middle leaves those before
    /// it made: read the link again.
    Status apply(const std::string& link, std::span<const PeerChange> changes);

    /// Messages sent since it was opened.
    [[nodiscard]] unsigned messages() const { return messages_; }

   private:
    WireGuard(NetlinkSocket socket, std::uint16_t family) : socket_(std::move(socket)), family_(family) {}

    NetlinkSocket socket_;
    std::uint16_t family_;
    unsigned messages_ = 0;
};

}  // namespace thole::mesh
