// The mesh's cryptography: all of it is libsodium's. Here are only types that cannot be mistaken for each other, and
// secrets that wipe themselves.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace thole::mesh {

using Bytes = std::span<const std::uint8_t>;
using Block = std::array<std::uint8_t, 32>;  // keys and digests

/// Overwrites memory in a way that the compiler does not leave out.
void wipe(std::span<std::uint8_t> memory);

/// In a time that says nothing about where they differ.
bool same_bytes(Bytes left, Bytes right);

/// 32 bytes that nobody else may know. Moved from or destroyed they are zero.
class Secret {
   public:
    explicit Secret(const Block& bytes) : bytes_(bytes) {}
    Secret(Secret&& other) noexcept;
    Secret& operator=(Secret&& other) noexcept;
    Secret(const Secret&) = delete;
    Secret& operator=(const Secret&) = delete;
    ~Secret() { wipe(bytes_); }

    [[nodiscard]] const Block& bytes() const { return bytes_; }

   private:
    Block bytes_;
};

/// A node's name in the mesh (RFC 7748). The order is that of the bytes.
struct PublicKey {
    Block bytes{};

    friend bool operator==(const PublicKey& left, const PublicKey& right) { return (left <=> right) == 0; }
    // Not the default one, which is a loop at each place.
    friend std::strong_ordering operator<=>(const PublicKey& left, const PublicKey& right) {
        return std::memcmp(left.bytes.data(), right.bytes.data(), left.bytes.size()) <=> 0;
    }
};

class PrivateKey : public Secret {
   public:
    /// Of 32 random bytes, clamped as RFC 7748 wants it.
    static PrivateKey from_random(const Block& random);

    /// Of its base64 form, which must be whole, clamped and not of zeros alone.
    static Result<PrivateKey> parse(std::string_view text);

    [[nodiscard]] PublicKey public_key() const;

   private:
    using Secret::Secret;
};

/// X25519 of one's own key and another's (RFC 7748, section 6.1). Nothing where the other's is a point of small order:
/// that would give the same secret with every key. Hash it before use.
std::optional<Secret> shared_secret(const PrivateKey& own, const PublicKey& other);

/// What all nodes of a cluster share; all other keys of the cluster come from it.
class ClusterSecret : public Secret {
   public:
    using Secret::Secret;
    static Result<ClusterSecret> parse(std::string_view text);
};

/// BLAKE2b-256 (RFC 7693).
struct Digest {
    Block bytes{};

    friend bool operator==(const Digest&, const Digest&) = default;

    /// The first eight bytes.
    [[nodiscard]] std::uint64_t prefix() const;
};

/// The hash of a purpose and of parts. All parts but the last have the same size in all calls for a purpose.
Digest hash(std::string_view purpose, std::initializer_list<Bytes> parts);

/// The same with a key: nobody without it can make or check such a digest.
Digest keyed_hash(const Secret& key, std::string_view purpose, std::initializer_list<Bytes> parts);

/// A key for one purpose.
Secret derive_key(const Secret& key, std::string_view purpose);

inline constexpr std::size_t kNonceSize = 24;
inline constexpr std::size_t kTagSize = 16;

/// Encrypts `text` in its place and returns the tag (XChaCha20-Poly1305). A nonce is random, or
/// counted under a key of one session, and used once.
std::array<std::uint8_t, kTagSize> seal(const Secret& key, std::span<const std::uint8_t, kNonceSize> nonce, Bytes also,
                                        std::span<std::uint8_t> text);

/// Checks the tag and then decrypts in place; false, and zeros in `text`, where the tag is not of this key, nonce, text
/// and `also`.
bool open(const Secret& key, std::span<const std::uint8_t, kNonceSize> nonce, Bytes also, std::span<std::uint8_t> text,
          std::span<const std::uint8_t, kTagSize> tag);

/// 44 letters, as wg(8) prints keys. Of a secret: wipe the text after use.
std::string base64_text(const Block& bytes);
Result<Block> parse_base64(std::string_view text);

/// For people who compare two keys: 80 bits of the key's hash, "1f0c-93aa-5b1e-07d2-c481".
std::string fingerprint(const PublicKey& key);

}  // namespace thole::mesh
