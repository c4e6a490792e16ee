// The one datagram outside the tunnel: what two nodes need of each other to become WireGuard peers. Always 256 bytes:
//   tag (16)    of XChaCha20-Poly1305, checked before anything else is looked at
//   nonce (24)  random
//   sealed      kind (1), epoch (4), counter (4), public key (32), challenge (16), echo (16), WireGuard's port (2),
//               IPv4 address in the mesh (4), where the sender sees the receiver (19), name (64), zeros
// To those without the secret it is noise of one size, and they get no answer.
//
// A asks, B answers, A confirms. Each says a challenge and gives back the one it was told; so each knows that the other
// spoke just now, from that address, and that nobody repeats what he once heard.
#pragma once

#include <optional>
#include <string>

#include "os/clock.hpp"
#include "wire.hpp"

namespace thole::mesh {

inline constexpr std::size_t kHelloSize = 256;
inline constexpr std::size_t kChallengeSize = 16;

using Challenge = std::array<std::uint8_t, kChallengeSize>;
using HelloDatagram = std::array<std::uint8_t, kHelloSize>;

enum class HelloKind : std::uint8_t { ask = 1, answer = 2, confirm = 3 };

struct Hello {
    HelloKind kind = HelloKind::ask;
    std::uint32_t epoch = 0;    // the sender's boot
    std::uint32_t counter = 0;  // grows with each datagram of that boot
    PublicKey key;
    Challenge challenge{};
    Challenge echo{};
    std::uint16_t port = 0;
    Address ipv4;
    std::optional<Endpoint> seen;  // the receiver, as the sender sees it
    std::string name;
};

/// The keys that the datagram is made and checked with: one, or two while the cluster's secret is being changed.
class HelloKeys {
   public:
    explicit HelloKeys(const ClusterSecret& secret);

    /// Also opens what was made with another secret, until then.
    void allow(const ClusterSecret& previous, Instant until);

    /// From now on `secret` is the one in use; what was in use is good until `until`.
    void rotate(const ClusterSecret& secret, Instant until);

    /// How many there are now: 1 or 2. The first is the one in use.
    [[nodiscard]] std::size_t count(Instant now) const { return previous_ && now < previous_until_ ? 2 : 1; }
    [[nodiscard]] const Secret& at(std::size_t index) const { return index == 0 ? current_ : *previous_; }

   private:
    Secret current_;
    std::optional<Secret> previous_;
    Instant previous_until_{};
};

/// The datagram, made with one of the keys.
HelloDatagram seal_hello(const HelloKeys& keys, std::size_t which, std::span<const std::uint8_t, kNonceSize> nonce,
                         const Hello& hello);

/// The part of the datagram that is sealed, and all of it.
inline constexpr std::size_t kHelloTextSize = kHelloSize - kTagSize - kNonceSize;
void write_hello(std::span<std::uint8_t, kHelloTextSize> text, const Hello& hello);
/// Nothing where it is not what write_hello() makes.
std::optional<Hello> read_hello(Bytes text);

struct OpenedHello {
    Hello hello;
    std::size_t which = 0;  // the key that it was made with; the answer is made with the same
};

/// Nothing where the datagram is not of the cluster, or is not what seal_hello() makes.
std::optional<OpenedHello> open_hello(const HelloKeys& keys, Bytes datagram, Instant now);

}  // namespace thole::mesh
