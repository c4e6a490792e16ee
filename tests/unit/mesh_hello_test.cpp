// The bootstrap datagram and the gate before it.
#include <doctest/doctest.h>

#include <bit>

#include "gate.hpp"
#include "mesh_scene.hpp"

using namespace thole;
using namespace thole::mesh;

namespace {

constexpr Instant kStart{1'000'000'000};
constexpr std::array<std::uint8_t, kNonceSize> kNonce{1, 2, 3};

Hello some_hello() {
    Hello hello;
    hello.kind = HelloKind::answer;
    hello.epoch = 7;
    hello.counter = 9;
    hello.key = public_key(1);
    hello.challenge.fill(1);
    hello.echo.fill(2);
    hello.port = 51871;
    hello.ipv4 = *parse_address("10.41.48.20");
    hello.seen = endpoint("2001:db8::5", 40'000);
    hello.name = "node-1";
    return hello;
}

HelloDatagram sealed(const HelloKeys& keys, const Hello& hello, std::size_t which = 0) {
    return seal_hello(keys, which, kNonce, hello);
}

Block random_block() {
    Block block{};
    block.fill(5);
    return block;
}

}  // namespace

TEST_CASE("hello: sealed and opened, always of one size") {
    const HelloKeys keys(cluster_secret());
    auto hello = some_hello();
    for (const bool seen : {true, false}) {
        for (const std::size_t length : {std::size_t{1}, kLongestName}) {
            hello.name = std::string(length, 'n');
            hello.seen = seen ? std::optional(endpoint("192.168.1.9", 7)) : std::nullopt;
            const auto datagram = sealed(keys, hello);
            CHECK(datagram.size() == 256);
            const auto opened = open_hello(keys, datagram, kStart);
            REQUIRE(opened);
            CHECK(opened->which == 0);
            CHECK(opened->hello.kind == hello.kind);
            CHECK(opened->hello.epoch == 7);
            CHECK(opened->hello.counter == 9);
            CHECK(opened->hello.key == hello.key);
            CHECK(opened->hello.challenge == hello.challenge);
            CHECK(opened->hello.echo == hello.echo);
            CHECK(opened->hello.port == hello.port);
            CHECK(opened->hello.ipv4 == hello.ipv4);
            CHECK(opened->hello.seen == hello.seen);
            CHECK(opened->hello.name == hello.name);
        }
    }
}

TEST_CASE("hello: nothing of it can be read or changed without the secret") {
    const HelloKeys keys(cluster_secret());
    const auto datagram = sealed(keys, some_hello());
    const std::string_view text(reinterpret_cast<const char*>(datagram.data()), datagram.size());
    CHECK(text.find("node-1") == std::string_view::npos);
    CHECK_FALSE(open_hello(HelloKeys(cluster_secret(2)), datagram, kStart));
    for (std::size_t bit = 0; bit < datagram.size() * 8; ++bit) {
        auto changed = datagram;
        changed[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
        CHECK_FALSE(open_hello(keys, changed, kStart));
    }
    std::vector<std::uint8_t> longer(datagram.begin(), datagram.end());
    longer.resize(1'500);
    for (std::size_t length = 0; length <= longer.size(); ++length) {
        CHECK(open_hello(keys, Bytes(longer).first(length), kStart).has_value() == (length == 256));
    }
}

TEST_CASE("hello: of a member, but not as it must be") {
    const HelloKeys keys(cluster_secret());
    const auto opens = [&](auto change) {
        auto hello = some_hello();
        change(hello);
        return open_hello(keys, sealed(keys, hello), kStart).has_value();
    };
    CHECK(opens([](Hello&) {}));
    CHECK_FALSE(opens([](Hello& hello) { hello.port = 0; }));
    CHECK_FALSE(opens([](Hello& hello) { hello.kind = std::bit_cast<HelloKind>(std::uint8_t{0}); }));
    CHECK_FALSE(opens([](Hello& hello) { hello.kind = std::bit_cast<HelloKind>(std::uint8_t{4}); }));
    CHECK_FALSE(opens([](Hello& hello) { hello.name = ""; }));
    CHECK_FALSE(opens([](Hello& hello) { hello.name = "a b"; }));
    CHECK_FALSE(opens([](Hello& hello) { hello.seen = endpoint("127.0.0.1"); }));
    CHECK_FALSE(opens([](Hello& hello) { hello.seen = endpoint("10.0.0.1", 0); }));
}

TEST_CASE("secrets: two of them while they are changed") {
    const HelloKeys old_only(cluster_secret(1));
    HelloKeys both(cluster_secret(1));
    const HelloKeys new_only(cluster_secret(2));
    const Instant until = kStart + hours(24);
    both.rotate(cluster_secret(2), until);
    CHECK(old_only.count(kStart) == 1);
    CHECK(both.count(kStart) == 2);
    CHECK(open_hello(both, sealed(old_only, some_hello()), kStart)->which == 1);
    CHECK(open_hello(both, sealed(new_only, some_hello()), kStart)->which == 0);
    CHECK(open_hello(old_only, sealed(both, some_hello(), 1), kStart));
    CHECK(open_hello(new_only, sealed(both, some_hello(), 0), kStart));
    CHECK_FALSE(open_hello(old_only, sealed(new_only, some_hello()), kStart));
    CHECK(both.count(until) == 1);
    CHECK_FALSE(open_hello(both, sealed(old_only, some_hello()), until));
    CHECK(open_hello(both, sealed(new_only, some_hello()), until));
}

TEST_CASE("gate: 20 at once and 10 a second from one source, whatever its port") {
    Gate gate(random_block());
    std::size_t admitted = 0;
    for (std::uint16_t port = 1; port <= 1'000; ++port) {
        admitted += gate.admits(endpoint("192.0.2.1", port), kStart) ? 1 : 0;
    }
    CHECK(admitted == 20);
    CHECK(gate.admits(endpoint("192.0.2.77"), kStart));
    for (int millisecond = 1; millisecond <= 10'000; ++millisecond) {
        admitted += gate.admits(endpoint("192.0.2.1"), kStart + milliseconds(millisecond)) ? 1 : 0;
    }
    CHECK(admitted == 120);
    // A network of IPv6 is one source.
    admitted = 0;
    for (unsigned number = 0; number < 1'000; ++number) {
        const Endpoint from{network_address(*parse_network("2001:db8::/64"), number + 1), 9};
        admitted += gate.admits(from, kStart) ? 1 : 0;
    }
    CHECK(admitted == 20);
}

TEST_CASE("gate: a flood from everywhere costs a bounded number of looks") {
    Gate gate(random_block());
    std::size_t admitted = 0;
    for (unsigned number = 0; number < 1'000'000; ++number) {
        const Endpoint from{network_address(*parse_network("0.0.0.0/0"), number * 2'654'435'761U), 9};
        admitted += gate.admits(from, kStart + milliseconds(number / 100)) ? 1 : 0;
    }
    CHECK(admitted <= 1024 * 120);
    CHECK(admitted >= 50'000);
    MESSAGE("of 1,000,000 datagrams in 10 s " << admitted << " are looked at; the gate takes " << sizeof(Gate)
                                              << " bytes");
}

TEST_CASE("gate: what was heard is not heard again, until it is forgotten") {
    Gate gate(random_block());
    const PublicKey key = public_key(1);
    CHECK(gate.is_new(key, 5, 1, kStart));
    CHECK_FALSE(gate.is_new(key, 5, 1, kStart));
    CHECK(gate.is_new(key, 5, 3, kStart));
    CHECK_FALSE(gate.is_new(key, 5, 2, kStart));
    CHECK_FALSE(gate.is_new(key, 4, 9, kStart));
    CHECK(gate.is_new(key, 6, 0, kStart));
    CHECK(gate.is_new(key, 1, 0, kStart + std::chrono::minutes(11)));
}

TEST_CASE("gate: a challenge is for one address and a short time") {
    const Gate gate(random_block());
    const Gate other(Block{1});
    const auto from = endpoint("192.0.2.1", 9);
    const auto challenge = gate.challenge(from, kStart);
    CHECK(gate.answers(challenge, from, kStart));
    CHECK(gate.answers(challenge, from, kStart + seconds(30)));
    CHECK_FALSE(gate.answers(challenge, from, kStart + seconds(61)));
    CHECK_FALSE(gate.answers(challenge, endpoint("192.0.2.1", 10), kStart));
    CHECK_FALSE(gate.answers(challenge, endpoint("192.0.2.2", 9), kStart));
    CHECK_FALSE(gate.answers(Challenge{}, from, kStart));
    CHECK_FALSE(other.answers(challenge, from, kStart));
}
