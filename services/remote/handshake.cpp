#include "handshake.hpp"

#include <algorithm>

#include "config/value.hpp"
#include "wire.hpp"

namespace thole::remote {

namespace {

constexpr std::string_view kMagic = "thole-r1";
constexpr std::size_t kNameSize = 64;
constexpr std::size_t kSigned = kHelloSize - sizeof(mesh::Block);

mesh::Bytes part(mesh::Bytes bytes, std::size_t offset, std::size_t size) { return bytes.subspan(offset, size); }

mesh::Digest hello_tag(const HelloBytes& hello, const mesh::Secret& key) {
    return mesh::keyed_hash(key, "thole remote hello", {part(hello, 0, kSigned)});
}

mesh::PublicKey key_in(mesh::Bytes bytes, std::size_t offset) {
    mesh::PublicKey key;
    std::ranges::copy(part(bytes, offset, key.bytes.size()), key.bytes.begin());
    return key;
}

/// What both ends can work out, and nobody else.
struct Agreed {
    mesh::Secret base;
    mesh::Digest tag;  // of the answer
};

Agreed agree(const mesh::Secret& key, const mesh::Secret& shared, const HelloBytes& hello,
             const mesh::PublicKey& server) {
    const mesh::Digest said = mesh::hash("thole remote transcript", {hello, server.bytes});
    mesh::Digest base = mesh::keyed_hash(key, "thole remote session", {shared.bytes(), said.bytes});
    Agreed agreed{mesh::Secret(base.bytes), {}};
    mesh::wipe(base.bytes);
    agreed.tag = mesh::keyed_hash(agreed.base, "thole remote answer", {said.bytes});
    return agreed;
}

SessionKeys session_keys(const mesh::Secret& base) {
    return {mesh::derive_key(base, "thole remote to server"), mesh::derive_key(base, "thole remote to client")};
}

}  // namespace

Hello make_hello(const Identity& identity, const mesh::Block& random) {
    Hello hello{{}, mesh::PrivateKey::from_random(random)};
    mesh::Writer writer(hello.bytes);
    writer.bytes({reinterpret_cast<const std::uint8_t*>(kMagic.data()), kMagic.size()});
    writer.bytes(hello.own.public_key().bytes);
    writer.bytes(identity.grant.id);
    writer.number(static_cast<std::uint64_t>(identity.grant.role), 1);
    writer.number(identity.grant.expires, 8);
    std::array<std::uint8_t, kNameSize> name{};
    std::ranges::copy(std::string_view(identity.grant.name).substr(0, kLongestName), name.begin());
    writer.bytes(name);
    writer.bytes(hello_tag(hello.bytes, identity.key).bytes);
    return hello;
}

std::optional<Grant> read_hello(const HelloBytes& hello) {
    mesh::Reader reader(hello);
    const mesh::Bytes magic = reader.bytes(kMagic.size());
    (void)reader.block();
    Grant grant;
    grant.id = reader.block();
    const auto role = reader.number(1);
    grant.expires = reader.number(8);
    const mesh::Bytes name = reader.bytes(kNameSize);
    if (reader.failed() ||
        !std::ranges::equal(magic, kMagic, {}, {}, [](char letter) { return static_cast<std::uint8_t>(letter); })) {
        return std::nullopt;
    }
    const auto end = std::ranges::find(name, std::uint8_t{0});
    grant.name.assign(name.begin(), end);
    const bool padded = end != name.end() && std::all_of(end, name.end(), [](std::uint8_t byte) { return byte == 0; });
    if (!padded || role < 1 || role > static_cast<std::uint64_t>(Role::node) ||
        !check_hostname(grant.name, kLongestName)) {
        return std::nullopt;
    }
    grant.role = static_cast<Role>(role);
    return grant;
}

bool proves_grant(const HelloBytes& hello, const mesh::Secret& key) {
    return mesh::same_bytes(part(hello, kSigned, sizeof(mesh::Block)), hello_tag(hello, key).bytes);
}

std::optional<Answer> answer_hello(const HelloBytes& hello, const mesh::Secret& key, const mesh::Block& random) {
    const auto own = mesh::PrivateKey::from_random(random);
    const auto shared = mesh::shared_secret(own, key_in(hello, kMagic.size()));
    if (!shared) {
        return std::nullopt;
    }
    const Agreed agreed = agree(key, *shared, hello, own.public_key());
    Answer answer{{}, session_keys(agreed.base)};
    mesh::Writer writer(answer.bytes);
    writer.bytes(own.public_key().bytes);
    writer.bytes(agreed.tag.bytes);
    return answer;
}

std::optional<SessionKeys> take_answer(const Hello& hello, const mesh::Secret& key, const AnswerBytes& answer) {
    const auto server = key_in(answer, 0);
    const auto shared = mesh::shared_secret(hello.own, server);
    if (!shared) {
        return std::nullopt;
    }
    const Agreed agreed = agree(key, *shared, hello.bytes, server);
    if (!mesh::same_bytes(part(answer, sizeof(mesh::Block), sizeof(mesh::Block)), agreed.tag.bytes)) {
        return std::nullopt;
    }
    return session_keys(agreed.base);
}

}  // namespace thole::remote
