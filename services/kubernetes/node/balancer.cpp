#include "balancer.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace thole::kubernetes {

namespace {

constexpr std::size_t kMostCalls = 256;
constexpr int kWaiting = 64;  // connections that the kernel keeps before they are accepted
constexpr std::chrono::milliseconds kPatience{3'000};

/// IPv4 addresses in an IPv6 socket are ::ffff:ADDRESS (RFC 4291, 2.5.5.2).
sockaddr_in6 place_of(const Address& address, std::uint16_t port) {
    constexpr std::size_t kMapped = 12;
    sockaddr_in6 place{};
    place.sin6_family = AF_INET6;
    place.sin6_port = htons(port);
    auto* const bytes = place.sin6_addr.s6_addr;
    if (address.family == AF_INET) {
        bytes[10] = bytes[11] = 0xFF;
        std::copy_n(address.bytes.begin(), address.size(), bytes + kMapped);
    } else {
        std::copy_n(address.bytes.begin(), address.size(), bytes);
    }
    return place;
}

void set_option(const Fd& socket, int level, int name, int value) {
    (void)::setsockopt(socket.get(), level, name, &value, sizeof value);
}

/// A server that is gone without a word is noticed within half a minute (tcp(7)), so that clients turn to another.
void notice_silence(const Fd& socket) {
    constexpr int kIdle = 10;
    constexpr int kPause = 5;
    constexpr int kProbes = 3;
    constexpr int kUnanswered = 20'000;  // milliseconds
    set_option(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(socket, IPPROTO_TCP, TCP_KEEPIDLE, kIdle);
    set_option(socket, IPPROTO_TCP, TCP_KEEPINTVL, kPause);
    set_option(socket, IPPROTO_TCP, TCP_KEEPCNT, kProbes);
    set_option(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, kUnanswered);
    set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1);
}

int error_of(const Fd& socket) {
    int error = 0;
    socklen_t size = sizeof error;
    return ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

}  // namespace

Result<std::unique_ptr<Balancer>> Balancer::make(EventLoop& loop, std::uint16_t port, std::uint16_t server_port) {
    Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!listener) {
        return system_error("make a socket for", "the way to the API server");
    }
    set_option(listener, SOL_SOCKET, SO_REUSEADDR, 1);
    sockaddr_in place{};
    place.sin_family = AF_INET;
    place.sin_port = htons(port);
    place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* const address = reinterpret_cast<sockaddr*>(&place);
    socklen_t size = sizeof place;
    if (::bind(listener.get(), address, size) != 0 || ::listen(listener.get(), kWaiting) != 0 ||
        ::getsockname(listener.get(), address, &size) != 0) {
        return system_error("listen for the node's own programs on", "127.0.0.1");
    }
    auto balancer =
        std::unique_ptr<Balancer>(new Balancer(loop, std::move(listener), ntohs(place.sin_port), server_port));
    if (auto added = loop.add(balancer->listener_.get(), EPOLLIN, *balancer); !added) {
        return std::unexpected(added.error());
    }
    return balancer;
}

Balancer::~Balancer() {
    for (const auto& call : calls_) {
        hang_up(*call);
    }
    loop_.remove(listener_.get());
}

void Balancer::on_events(std::uint32_t /*events*/) {
    Fd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!client || calls_.size() >= kMostCalls) {
        return;
    }
    set_option(client, IPPROTO_TCP, TCP_NODELAY, 1);
    auto call = std::make_unique<Call>(*this);
    call->client = std::move(client);
    call->which = preferred_;
    Call& kept = *calls_.emplace_back(std::move(call));
    ask_next(kept);
}

/// Each server once; then the client hears that there is none.
void Balancer::ask_next(Call& call) {
    while (call.asked < servers_.size()) {
        call.which = (call.which + (call.asked > 0 ? 1 : 0)) % servers_.size();
        ++call.asked;
        if (ask(call, servers_[call.which])) {
            return;
        }
    }
    hang_up(call);
}

bool Balancer::ask(Call& call, const Address& server) {
    Fd socket(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) {
        return false;
    }
    notice_silence(socket);
    const sockaddr_in6 place = place_of(server, server_port_);
    const bool connected =
        ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&place), sizeof place) == 0 || errno == EINPROGRESS;
    if (!connected || !loop_.add(socket.get(), EPOLLOUT, call)) {
        return false;
    }
    call.server = std::move(socket);
    call.until = now() + kPatience;
    return true;
}

void Balancer::on_answer(Call& call) {
    loop_.remove(call.server.get());
    if (error_of(call.server) != 0) {
        call.server.reset();
        ask_next(call);
        return;
    }
    preferred_ = call.which;
    call.tunnel =
        std::make_unique<Tunnel>(loop_, std::move(call.client), std::move(call.server), [&call] { call.over = true; });
    if (!call.tunnel->start()) {
        call.over = true;
    }
}

void Balancer::hang_up(Call& call) {
    if (call.server) {
        loop_.remove(call.server.get());
        call.server.reset();
    }
    call.client.reset();
    call.tunnel.reset();
    call.over = true;
}

void Balancer::tick(Instant time) {
    for (const auto& call : calls_) {
        if (!call->over && call->server && call->until <= time) {
            loop_.remove(call->server.get());
            call->server.reset();
            ask_next(*call);
        }
    }
    std::erase_if(calls_, [](const auto& call) { return call->over; });
}

std::optional<Instant> Balancer::next_deadline() const {
    std::optional<Instant> first;
    for (const auto& call : calls_) {
        if (call->server && (!first || call->until < *first)) {
            first = call->until;
        }
    }
    return first;
}

}  // namespace thole::kubernetes
