// How two that know a grant's key find out that they do, and agree on keys for one connection. Pure.
//
//   client -> server   hello: a fresh X25519 key, the grant, and a hash of both by the grant's key
//   server -> client   answer: a fresh X25519 key, and a hash of all by the session's key
//   client -> server   the first sealed frame, which shows that the hello was not a repeated one
//
// The session's keys come from the grant's key, the X25519 secret and all that was said (as NNpsk0 of the Noise
// protocol framework). What was said stays secret when the cluster's secret becomes known later.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "crypto.hpp"
#include "grant.hpp"

namespace thole::remote {

inline constexpr std::size_t kHelloSize = 8 + 32 + 32 + 1 + 8 + 64 + 32;
inline constexpr std::size_t kAnswerSize = 32 + 32;

using HelloBytes = std::array<std::uint8_t, kHelloSize>;
using AnswerBytes = std::array<std::uint8_t, kAnswerSize>;

struct SessionKeys {
    mesh::Secret to_server;
    mesh::Secret to_client;
};

struct Hello {
    HelloBytes bytes{};
    mesh::PrivateKey own;
};

/// `random` is from getrandom(2), for this hello alone.
Hello make_hello(const Identity& identity, const mesh::Block& random);

/// The grant that a hello shows; nothing where it is not of this form. It proves nothing yet.
std::optional<Grant> read_hello(const HelloBytes& hello);

/// Whether who made the hello knew the grant's key.
bool proves_grant(const HelloBytes& hello, const mesh::Secret& key);

struct Answer {
    AnswerBytes bytes{};
    SessionKeys keys;
};

/// The answer to a hello that proves its grant. Nothing where its X25519 key is none to be used.
std::optional<Answer> answer_hello(const HelloBytes& hello, const mesh::Secret& key, const mesh::Block& random);

/// The session's keys; nothing where who answered did not know the grant's key, or answered another hello.
std::optional<SessionKeys> take_answer(const Hello& hello, const mesh::Secret& key, const AnswerBytes& answer);

}  // namespace thole::remote
