// Forwarding over real sockets of this machine.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "base/text.hpp"
#include "log/forward_format.hpp"
#include "log/forwarder.hpp"

using namespace thole;

namespace {

constexpr LogTime kTime{1'769'860'800'123, 12'345};

/// A socket on 127.0.0.1; `port` 0 takes any.
struct Peer {
    explicit Peer(int type, std::uint16_t port_wanted = 0) : fd(::socket(AF_INET, type | SOCK_CLOEXEC, 0)) {
        const int yes = 1;
        ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
        sockaddr_in where{};
        where.sin_family = AF_INET;
        where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        where.sin_port = htons(port_wanted);
        socklen_t size = sizeof where;
        REQUIRE(::bind(fd.get(), reinterpret_cast<sockaddr*>(&where), size) == 0);
        ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&where), &size);
        port = ntohs(where.sin_port);
    }

    [[nodiscard]] std::string target(std::string_view kind) const { return concat(kind, ":127.0.0.1:", port); }

    Fd fd;
    std::uint16_t port = 0;
};

/// One turn of the loop, at most 20 ms long.
void turn(EventLoop& loop, Forwarder& forwarder) {
    loop.wait(now() + Milliseconds(20));
    forwarder.on_time();
}

/// What arrives within the time that it takes until `wanted` bytes are there.
std::string receive(int fd, std::size_t wanted, EventLoop& loop, Forwarder& forwarder) {
    std::string text;
    std::array<char, 65'536> buffer;
    for (const Instant limit = now() + Milliseconds(10'000); text.size() < wanted && now() < limit;) {
        turn(loop, forwarder);
        const ssize_t size = ::recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
        text.append(buffer.data(), static_cast<std::size_t>(size > 0 ? size : 0));
        if (size == 0) {
            break;
        }
    }
    return text;
}

std::string datagram(int fd) {
    pollfd waiting{fd, POLLIN, 0};
    REQUIRE(::poll(&waiting, 1, 10'000) == 1);
    std::array<char, 65'536> buffer;
    const ssize_t size = ::recv(fd, buffer.data(), buffer.size(), 0);
    REQUIRE(size >= 0);
    return {buffer.data(), static_cast<std::size_t>(size)};
}

}  // namespace

TEST_CASE("forwarder: targets and formats are checked") {
    auto loop = std::move(EventLoop::make().value());
    for (const char* wrong :
         {"", "udp", "udp:", "udp:host:514", "udp:127.0.0.1", "tls:127.0.0.1:514", "tcp:127.0.0.1:0"}) {
        CHECK(!Forwarder::make(wrong, "syslog", loop));
    }
    CHECK(!Forwarder::make("udp:127.0.0.1:514", "xml", loop));
}

TEST_CASE("forwarder: a datagram for each line") {
    auto loop = std::move(EventLoop::make().value());
    const Peer peer(SOCK_DGRAM);
    const auto forwarder = std::move(Forwarder::make(peer.target("udp"), "syslog", loop).value());
    forwarder->send("kubelet", kTime, kServicePriority, "one\ntwo\n");
    const std::string first = datagram(peer.fd.get());
    CHECK(first.starts_with("<30>1 2026-01-31T12:00:00.123Z "));
    CHECK(first.ends_with(" kubelet - - - one"));
    CHECK(datagram(peer.fd.get()).ends_with(" kubelet - - - two"));
    CHECK(forwarder->take_news().empty());
}

TEST_CASE("forwarder: datagrams that nobody takes are counted, and that is said") {
    auto loop = std::move(EventLoop::make().value());
    Peer peer(SOCK_DGRAM);
    const auto forwarder = std::move(Forwarder::make(peer.target("udp"), "json", loop).value());
    peer.fd.reset();
    forwarder->send("a", kTime, kServicePriority, "one\ntwo\nthree\n");  // the answer to the first refuses the second
    const Peer again(SOCK_DGRAM, peer.port);
    forwarder->send("a", kTime, kServicePriority, "four\nfour again\n");
    CHECK(forwarder->take_news().ends_with(concat("lines were not forwarded to ", peer.target("udp"))));
    CHECK(datagram(again.fd.get()).find("fo") != std::string::npos);
}

TEST_CASE("forwarder: a stream of counted messages, whole ones again after an interruption") {
    auto loop = std::move(EventLoop::make().value());
    const Peer peer(SOCK_STREAM);
    REQUIRE(::listen(peer.fd.get(), 1) == 0);
    const auto forwarder = std::move(Forwarder::make(peer.target("tcp"), "syslog", loop).value());
    forwarder->send("a", kTime, kServicePriority, "before it is connected\n");
    Fd accepted(::accept(peer.fd.get(), nullptr, nullptr));
    std::string text = receive(accepted.get(), 60, loop, *forwarder);
    CHECK(text.ends_with(" a - - - before it is connected"));
    CHECK(parse_integer(text.substr(0, text.find(' ')), 1, 1000).value() ==
          static_cast<std::int64_t>(text.size() - text.find(' ') - 1));
    // More than the sockets hold, then the peer goes away in the midst of a message.
    const std::string line(1000, 'x');
    for (int count = 0; count < 20'000; ++count) {
        forwarder->send("a", kTime, kServicePriority, line + "\n");
    }
    accepted.reset();
    ::fcntl(peer.fd.get(), F_SETFL, O_NONBLOCK);
    Fd again;
    for (const Instant limit = now() + Milliseconds(10'000); !again && now() < limit;) {
        turn(loop, *forwarder);
        again = Fd(::accept(peer.fd.get(), nullptr, nullptr));
    }
    REQUIRE(again);
    text = receive(again.get(), 1000, loop, *forwarder);
    CHECK(text.substr(text.find(' ') + 1).starts_with("<30>1 "));
    CHECK(parse_integer(text.substr(0, text.find(' ')), 1000, 2000));
}

TEST_CASE("forwarder: what a stream has no room for is counted and said, and what it has arrives in order") {
    auto loop = std::move(EventLoop::make().value());
    const Peer peer(SOCK_STREAM);
    REQUIRE(::listen(peer.fd.get(), 1) == 0);
    const auto forwarder = std::move(Forwarder::make(peer.target("tcp"), "json", loop).value());
    constexpr int kLines = 1000;
    for (int number = 0; number < kLines; ++number) {
        forwarder->send("a", kTime, kServicePriority, concat("line ", number, " ", std::string(200, 'x'), "\n"));
    }
    const Fd accepted(::accept(peer.fd.get(), nullptr, nullptr));
    std::string text;
    while (text.find("not forwarded") == std::string::npos) {
        text += receive(accepted.get(), 1, loop, *forwarder);
    }
    int next = 0;
    for (std::size_t at = 0; (at = text.find("\"line ", at)) != std::string::npos; ++at) {
        CHECK(text.substr(at, 12).starts_with(concat("\"line ", next++, " ")));
    }
    CHECK(next > 100);
    CHECK(next < kLines);
    CHECK(text.find(concat(kLines - next, " lines were not forwarded")) != std::string::npos);
    CHECK(forwarder->take_news() == concat(kLines - next, " lines were not forwarded to ", peer.target("tcp")));
}

TEST_CASE("forwarder: a peer that is not there is asked again, at growing intervals, and once is enough to say it") {
    auto loop = std::move(EventLoop::make().value());
    const Peer peer(SOCK_STREAM);
    const auto forwarder = std::move(Forwarder::make(peer.target("tcp"), "json", loop).value());
    for (const Instant limit = now() + Milliseconds(10'000); !forwarder->next_deadline() && now() < limit;) {
        turn(loop, *forwarder);
    }
    CHECK(forwarder->take_news().find("Connection refused") != std::string::npos);
    const auto first = *forwarder->next_deadline() - now();
    CHECK(first <= Milliseconds(1000));
    forwarder->send("a", kTime, kServicePriority, "kept\n");
    while (forwarder->next_deadline()) {
        turn(loop, *forwarder);
    }
    for (const Instant limit = now() + Milliseconds(10'000); !forwarder->next_deadline() && now() < limit;) {
        turn(loop, *forwarder);
    }
    CHECK(*forwarder->next_deadline() - now() > Milliseconds(1500));
    CHECK(forwarder->take_news().empty());
    REQUIRE(::listen(peer.fd.get(), 1) == 0);
    while (forwarder->next_deadline()) {
        turn(loop, *forwarder);
    }
    const Fd accepted(::accept(peer.fd.get(), nullptr, nullptr));
    CHECK(receive(accepted.get(), 20, loop, *forwarder).find("kept") != std::string::npos);
}
