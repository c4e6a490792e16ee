// The mesh's cryptography against the vectors of the RFCs, and what wipes itself.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <vector>

#include "crypto.hpp"

using namespace thole;
using namespace thole::mesh;

namespace {

std::vector<std::uint8_t> from_hex(std::string_view hex) {
    const auto digit = [](char letter) { return letter <= '9' ? letter - '0' : letter - 'a' + 10; };
    std::vector<std::uint8_t> bytes;
    for (std::size_t index = 0; index + 1 < hex.size(); index += 2) {
        bytes.push_back(static_cast<std::uint8_t>(digit(hex[index]) * 16 + digit(hex[index + 1])));
    }
    return bytes;
}

Block block(std::string_view hex) {
    Block result{};
    std::ranges::copy(from_hex(hex), result.begin());
    return result;
}

}  // namespace

TEST_CASE("public key: the vectors of RFC 7748, section 6.1") {
    const auto alice =
        PrivateKey::from_random(block("77076d0a7318a57d3c16c17251b26645f4ee58b5b2d3a4e5a4a3a52b5b3e0d2a"));
    CHECK(alice.bytes()[0] == 0x70);
    const auto bob = PrivateKey::from_random(block("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"));
    CHECK(bob.public_key().bytes == block("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"));
    CHECK(bob.bytes()[31] == 0x6B);
}

TEST_CASE("private key: base64 as wg prints it, read back strictly") {
    const auto key = PrivateKey::from_random(block("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"));
    const auto text = base64_text(key.bytes());
    CHECK(text.size() == 44);
    CHECK(PrivateKey::parse(text)->public_key() == key.public_key());
    CHECK(base64_text(key.public_key().bytes) == "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08=");

    CHECK_FALSE(PrivateKey::parse(""));
    CHECK_FALSE(PrivateKey::parse(text.substr(0, 43)));
    CHECK_FALSE(PrivateKey::parse(text + "\n"));
    CHECK_FALSE(PrivateKey::parse(std::string(44, 'A')));
    CHECK_FALSE(PrivateKey::parse(std::string(43, 'A') + "="));   // zeros, not clamped
    CHECK_FALSE(PrivateKey::parse(std::string(42, 'A') + "B="));  // bits behind the end
    CHECK_FALSE(PrivateKey::parse(base64_text(block("ff"))));     // not clamped
    CHECK(PrivateKey::parse("x").error().message.find('x') == std::string::npos);
    CHECK_FALSE(ClusterSecret::parse(std::string(43, 'A') + "="));
    CHECK(ClusterSecret::parse(base64_text(block("ff"))));
}

TEST_CASE("secrets: gone when moved from or destroyed") {
    alignas(ClusterSecret) std::array<std::uint8_t, sizeof(ClusterSecret)> memory{};
    auto* const secret = new (memory.data()) ClusterSecret(block("0102030405"));
    ClusterSecret other(std::move(*secret));
    CHECK(memory == decltype(memory){});
    CHECK(other.bytes()[0] == 1);
    *secret = std::move(other);
    CHECK(other.bytes() == Block{});  // NOLINT: moved from, that is what is tested
    CHECK(secret->bytes()[4] == 5);
    secret->~ClusterSecret();
    CHECK(memory == decltype(memory){});
}

TEST_CASE("hash: BLAKE2b-256, by purpose and by key") {
    // RFC 7693 has only BLAKE2b-512; this is what b2sum -l 256 says of the byte 0x03, "abc".
    const std::array<std::uint8_t, 0> none{};
    CHECK(hash("abc", {none}).bytes == hash("abc", {}).bytes);
    CHECK(hash("abc", {}).bytes == block("90922432cc9a3b951a62267fd25fc1f9667344a9a42b44fee6cee6b1095818a8"));
    CHECK(hash("abc", {}) != hash("ab", {Bytes(from_hex("63"))}));
    const ClusterSecret one(block("01"));
    const ClusterSecret two(block("02"));
    CHECK(keyed_hash(one, "abc", {}) != keyed_hash(two, "abc", {}));
    CHECK(keyed_hash(one, "abc", {}) != hash("abc", {}));
    CHECK(derive_key(one, "a").bytes() != derive_key(one, "b").bytes());
    CHECK(hash("abc", {}).prefix() == 0x90922432cc9a3b95U);
}

TEST_CASE("seal: the vector of draft-irtf-cfrg-xchacha-03, A.3.1") {
    const Secret key(block("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"));
    const auto also = from_hex("50515253c0c1c2c3c4c5c6c7");
    std::array<std::uint8_t, kNonceSize> nonce{};
    std::ranges::copy(from_hex("404142434445464748494a4b4c4d4e4f5051525354555657"), nonce.begin());
    constexpr std::string_view kText =
        "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would "
        "be "
        "it.";
    std::vector<std::uint8_t> text(kText.begin(), kText.end());
    const auto tag = seal(key, nonce, also, text);
    CHECK(std::vector(tag.begin(), tag.end()) == from_hex("c0875924c1c7987947deafd8780acf49"));
    CHECK(std::vector(text.begin(), text.begin() + 8) == from_hex("bd6d179d3e83d43b"));

    auto broken = text;
    broken[3] ^= 1U;
    CHECK_FALSE(open(key, nonce, also, broken, tag));
    CHECK(std::ranges::count(broken, 0) == static_cast<std::ptrdiff_t>(broken.size()));
    auto foreign = text;
    CHECK_FALSE(open(key, nonce, from_hex("50"), foreign, tag));
    CHECK(open(key, nonce, also, text, tag));
    CHECK(std::string(text.begin(), text.end()) == kText);
}

TEST_CASE("compare and fingerprint") {
    CHECK(same_bytes(block("01"), block("01")));
    CHECK_FALSE(same_bytes(block("01"), block("02")));
    CHECK_FALSE(same_bytes(from_hex("01"), from_hex("0100")));
    const PublicKey key{block("01")};
    CHECK(fingerprint(key).size() == 24);
    CHECK(fingerprint(key) != fingerprint(PublicKey{}));
    CHECK(fingerprint(key)[4] == '-');
}
