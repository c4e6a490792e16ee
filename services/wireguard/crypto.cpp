#include "crypto.hpp"

#include <sodium/crypto_aead_xchacha20poly1305.h>
#include <sodium/crypto_generichash_blake2b.h>
#include <sodium/utils.h>

#include <algorithm>

#include "base/text.hpp"

/// X25519 of the base point; see subprojects/packagefiles/libsodium.
extern "C" int sodium_x25519_public_key(unsigned char* public_key, const unsigned char* private_key);
extern "C" int sodium_x25519_shared_secret(unsigned char* secret, const unsigned char* private_key,
                                           const unsigned char* other);

namespace thole::mesh {

namespace {

constexpr std::size_t kBase64Size = 44;

Digest hash_parts(Bytes key, std::string_view purpose, std::initializer_list<Bytes> parts) {
    crypto_generichash_blake2b_state state;
    const auto length = static_cast<std::uint8_t>(purpose.size());
    crypto_generichash_blake2b_init(&state, key.empty() ? nullptr : key.data(), key.size(), sizeof(Block));
    crypto_generichash_blake2b_update(&state, &length, 1);
    crypto_generichash_blake2b_update(&state, reinterpret_cast<const unsigned char*>(purpose.data()), purpose.size());
    for (const Bytes part : parts) {
        crypto_generichash_blake2b_update(&state, part.data(), part.size());
    }
    Digest digest;
    crypto_generichash_blake2b_final(&state, digest.bytes.data(), digest.bytes.size());
    sodium_memzero(&state, sizeof state);
    return digest;
}

Block clamped(Block bytes) {
    bytes[0] &= 0xF8U;
    bytes[31] = static_cast<std::uint8_t>((bytes[31] & 0x7FU) | 0x40U);
    return bytes;
}

}  // namespace

void wipe(std::span<std::uint8_t> memory) { sodium_memzero(memory.data(), memory.size()); }

bool same_bytes(Bytes left, Bytes right) {
    return left.size() == right.size() && sodium_memcmp(left.data(), right.data(), left.size()) == 0;
}

Secret::Secret(Secret&& other) noexcept : bytes_(other.bytes_) { wipe(other.bytes_); }

Secret& Secret::operator=(Secret&& other) noexcept {
    if (this != &other) {
        bytes_ = other.bytes_;
        wipe(other.bytes_);
    }
    return *this;
}

PrivateKey PrivateKey::from_random(const Block& random) {
    Block bytes = clamped(random);
    PrivateKey key(bytes);
    wipe(bytes);
    return key;
}

Result<PrivateKey> PrivateKey::parse(std::string_view text) {
    auto bytes = parse_base64(text);
    if (!bytes) {
        return std::unexpected(bytes.error());
    }
    PrivateKey key(*bytes);
    const bool good = clamped(*bytes) == *bytes;
    wipe(*bytes);
    if (!good) {
        return failure("is no private key: its bits are not those of X25519");
    }
    return key;
}

PublicKey PrivateKey::public_key() const {
    PublicKey key;
    // It refuses points of small order; the base point is none.
    (void)sodium_x25519_public_key(key.bytes.data(), bytes().data());
    return key;
}

std::optional<Secret> shared_secret(const PrivateKey& own, const PublicKey& other) {
    Block bytes{};
    const bool good = sodium_x25519_shared_secret(bytes.data(), own.bytes().data(), other.bytes.data()) == 0;
    std::optional<Secret> secret;
    if (good) {
        secret.emplace(bytes);
    }
    wipe(bytes);
    return secret;
}

Result<ClusterSecret> ClusterSecret::parse(std::string_view text) {
    auto bytes = parse_base64(text);
    if (!bytes) {
        return std::unexpected(bytes.error());
    }
    if (std::ranges::all_of(*bytes, [](std::uint8_t byte) { return byte == 0; })) {
        return failure("is no secret: it is all zeros");
    }
    ClusterSecret secret(*bytes);
    wipe(*bytes);
    return secret;
}

std::uint64_t Digest::prefix() const {
    std::uint64_t number = 0;
    for (std::size_t index = 0; index < sizeof number; ++index) {
        number = number << 8U | bytes[index];
    }
    return number;
}

Digest hash(std::string_view purpose, std::initializer_list<Bytes> parts) { return hash_parts({}, purpose, parts); }

Digest keyed_hash(const Secret& key, std::string_view purpose, std::initializer_list<Bytes> parts) {
    return hash_parts(key.bytes(), purpose, parts);
}

Secret derive_key(const Secret& key, std::string_view purpose) {
    Digest digest = keyed_hash(key, purpose, {});
    Secret derived(digest.bytes);
    wipe(digest.bytes);
    return derived;
}

std::array<std::uint8_t, kTagSize> seal(const Secret& key, std::span<const std::uint8_t, kNonceSize> nonce, Bytes also,
                                        std::span<std::uint8_t> text) {
    std::array<std::uint8_t, kTagSize> tag{};
    crypto_aead_xchacha20poly1305_ietf_encrypt_detached(text.data(), tag.data(), nullptr, text.data(), text.size(),
                                                        also.data(), also.size(), nullptr, nonce.data(),
                                                        key.bytes().data());
    return tag;
}

bool open(const Secret& key, std::span<const std::uint8_t, kNonceSize> nonce, Bytes also, std::span<std::uint8_t> text,
          std::span<const std::uint8_t, kTagSize> tag) {
    return crypto_aead_xchacha20poly1305_ietf_decrypt_detached(text.data(), nullptr, text.data(), text.size(),
                                                               tag.data(), also.data(), also.size(), nonce.data(),
                                                               key.bytes().data()) == 0;
}

std::string base64_text(const Block& bytes) {
    std::array<char, kBase64Size + 1> text{};
    sodium_bin2base64(text.data(), text.size(), bytes.data(), bytes.size(), sodium_base64_VARIANT_ORIGINAL);
    std::string result(text.data(), kBase64Size);
    sodium_memzero(text.data(), text.size());
    return result;
}

Result<Block> parse_base64(std::string_view text) {
    Block bytes{};
    std::size_t length = 0;
    if (text.size() != kBase64Size ||
        sodium_base642bin(bytes.data(), bytes.size(), text.data(), text.size(), nullptr, &length, nullptr,
                          sodium_base64_VARIANT_ORIGINAL) != 0 ||
        length != bytes.size()) {
        // What was read is not repeated: it may be a secret with a slip in it.
        return failure("is no key: it must be 44 letters of base64, as `wg genkey` prints them");
    }
    return bytes;
}

std::string fingerprint(const PublicKey& key) {
    constexpr std::size_t kGroup = 4;
    const Digest digest = hash("thole fingerprint", {key.bytes});
    std::string text = hexadecimal(std::span(digest.bytes).first(10));
    for (std::size_t at = text.size() - kGroup; at > 0; at -= kGroup) {
        text.insert(at, 1, '-');
    }
    return text;
}

}  // namespace thole::mesh
