#include "hello.hpp"

#include <algorithm>

#include "config/value.hpp"
#include "record.hpp"

namespace thole::mesh {

namespace {

constexpr std::size_t kSealedAt = kTagSize + kNonceSize;
constexpr std::size_t kSeenSize = 19;

/// What the tag covers besides: the format. The cluster is in the key.
constexpr std::array<std::uint8_t, 7> kAlso{'t', 'h', 'o', 'l', 'e', ' ', 1};

Secret hello_key(const ClusterSecret& secret) { return derive_key(secret, "thole hello"); }

/// Always as long as the longest.
void write_seen(Writer& out, const std::optional<Endpoint>& seen) {
    const std::size_t end = out.size() + kSeenSize;
    if (seen) {
        out.endpoint(*seen);
    }
    while (out.size() < end) {
        out.number(0, 1);
    }
}

bool is_zeros(Bytes bytes) {
    return std::ranges::all_of(bytes, [](std::uint8_t byte) { return byte == 0; });
}

bool read_seen(Bytes field, std::optional<Endpoint>& seen) {
    if (is_zeros(field)) {
        return true;
    }
    Reader in(field);
    seen = in.endpoint();
    return !in.failed() && is_zeros(in.bytes(in.left()));
}

}  // namespace

std::optional<Hello> read_hello(Bytes text) {
    Reader in(text);
    Hello hello;
    const std::uint64_t kind = in.number(1);
    hello.kind = static_cast<HelloKind>(kind);
    hello.epoch = static_cast<std::uint32_t>(in.number(4));
    hello.counter = static_cast<std::uint32_t>(in.number(4));
    hello.key.bytes = in.block();
    std::ranges::copy(in.bytes(kChallengeSize), hello.challenge.begin());
    std::ranges::copy(in.bytes(kChallengeSize), hello.echo.begin());
    hello.port = static_cast<std::uint16_t>(in.number(2));
    hello.ipv4.family = AF_INET;
    std::ranges::copy(in.bytes(4), hello.ipv4.bytes.begin());
    bool good = kind >= 1 && kind <= 3 && hello.port != 0 && read_seen(in.bytes(kSeenSize), hello.seen);
    hello.name = in.text();
    good = good && check_hostname(hello.name, kLongestName) && is_zeros(in.bytes(in.left())) && !in.failed();
    return good ? std::optional(hello) : std::nullopt;
}

void write_hello(std::span<std::uint8_t, kHelloTextSize> text, const Hello& hello) {
    static_assert(1 + 4 + 4 + 32 + 2 * kChallengeSize + 2 + 4 + kSeenSize + 1 + kLongestName <= kHelloTextSize);
    Writer out(text);
    out.number(static_cast<std::uint8_t>(hello.kind), 1);
    out.number(hello.epoch, 4);
    out.number(hello.counter, 4);
    out.bytes(hello.key.bytes);
    out.bytes(hello.challenge);
    out.bytes(hello.echo);
    out.number(hello.port, 2);
    out.bytes(Bytes(hello.ipv4.bytes).first(4));
    write_seen(out, hello.seen);
    out.text(std::string_view(hello.name).substr(0, kLongestName));
}

HelloKeys::HelloKeys(const ClusterSecret& secret) : current_(hello_key(secret)) {}

void HelloKeys::allow(const ClusterSecret& previous, Instant until) {
    previous_.emplace(hello_key(previous));
    previous_until_ = until;
}

void HelloKeys::rotate(const ClusterSecret& secret, Instant until) {
    previous_.emplace(std::move(current_));
    current_ = hello_key(secret);
    previous_until_ = until;
}

HelloDatagram seal_hello(const HelloKeys& keys, std::size_t which, std::span<const std::uint8_t, kNonceSize> nonce,
                         const Hello& hello) {
    HelloDatagram datagram{};
    std::ranges::copy(nonce, datagram.begin() + kTagSize);
    const auto text = std::span(datagram).subspan<kSealedAt>();
    write_hello(text, hello);
    const auto tag = seal(keys.at(which), nonce, kAlso, text);
    std::ranges::copy(tag, datagram.begin());
    return datagram;
}

std::optional<OpenedHello> open_hello(const HelloKeys& keys, Bytes datagram, Instant now) {
    if (datagram.size() != kHelloSize) {
        return std::nullopt;
    }
    for (std::size_t which = 0; which < keys.count(now); ++which) {
        HelloDatagram copy;
        std::ranges::copy(datagram, copy.begin());
        const auto text = std::span(copy).subspan<kSealedAt>();
        if (!open(keys.at(which), std::span(copy).subspan<kTagSize, kNonceSize>(), kAlso, text,
                  std::span(copy).first<kTagSize>())) {
            continue;
        }
        auto hello = read_hello(text);
        return hello ? std::optional(OpenedHello{std::move(*hello), which}) : std::nullopt;
    }
    return std::nullopt;
}

}  // namespace thole::mesh
