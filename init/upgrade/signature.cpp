#include "upgrade/signature.hpp"

#include <sodium/crypto_sign_ed25519.h>
#include <sodium/utils.h>

#include <array>

#include "base/text.hpp"

namespace thole::upgrade {

namespace {

using PublicKey = std::array<unsigned char, crypto_sign_ed25519_PUBLICKEYBYTES>;
using Signature = std::array<unsigned char, crypto_sign_ed25519_BYTES>;

template <typename Bytes>
bool decode(std::string_view text, Bytes& bytes) {
    std::size_t length = 0;
    const char* end = nullptr;
    return ::sodium_base642bin(bytes.data(), bytes.size(), text.data(), text.size(), nullptr, &length, &end,
                               sodium_base64_VARIANT_ORIGINAL) == 0 &&
           length == bytes.size() && end == text.data() + text.size();
}

}  // namespace

bool is_public_key(std::string_view text) {
    PublicKey key{};
    return decode(text, key);
}

Status check_signature(const Bundle& bundle, std::span<const std::string_view> keys) {
    if (keys.empty()) {
        return failure(
            "node.ini's upgrade.keys names no key, so nobody's upgrades are trusted; --unsigned takes this one");
    }
    if (bundle.signature == "-") {
        return failure("it is not signed; --unsigned takes it all the same");
    }
    Signature signature{};
    if (!decode(bundle.signature, signature)) {
        return failure("its signature is no base64 of 64 bytes");
    }
    for (const auto text : keys) {
        PublicKey key{};
        if (decode(text, key) && ::crypto_sign_ed25519_verify_detached(
                                     signature.data(), reinterpret_cast<const unsigned char*>(bundle.is_signed.data()),
                                     bundle.is_signed.size(), key.data()) == 0) {
            return {};
        }
    }
    return failure("none of the keys in node.ini's upgrade.keys has signed it");
}

}  // namespace thole::upgrade
