#include "server.hpp"

#include <unistd.h>

#include <algorithm>

#include "os/file.hpp"
#include "server_parts.hpp"
#include "wires.hpp"

namespace thole::remote {

namespace {

constexpr Milliseconds kBetweenStrangers{std::chrono::minutes(1)};

Address local_address(int socket) {
    SocketAddress own;
    own.size = sizeof own.storage;
    ::getsockname(socket, reinterpret_cast<sockaddr*>(&own.storage), &own.size);
    return address_of(own);
}

}  // namespace

void say(std::string_view text) { (void)write_all(STDERR_FILENO, concat(text, "\n"), "the log"); }

Server::Server(EventLoop& loop, ServerSettings settings) : loop_(loop), settings_(std::move(settings)) {
    for (std::size_t count = 0; count < kPlaces; ++count) {
        places_.push_back(std::make_unique<Place>(*this));
    }
}

Server::~Server() {
    for (const auto& place : places_) {
        place->clear();
    }
}

bool Server::accept_one(const Listener& listener) {
    SocketAddress from;
    from.size = sizeof from.storage;
    Fd socket(::accept4(listener.socket(), reinterpret_cast<sockaddr*>(&from.storage), &from.size,
                        SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket) {
        return false;
    }
    const Address peer = address_of(from);
    const Address own = local_address(socket.get());
    const auto in_mesh = [&](const Address& address) {
        return std::ranges::any_of(settings_.mesh_ranges,
                                   [&](const Network& range) { return network_contains(range, address); });
    };
    // By the mesh a peer has an address of the mesh, which WireGuard has checked; from outside nobody has.
    if (listener.mesh() ? !network_contains(settings_.places.range, peer) : (in_mesh(peer) || in_mesh(own))) {
        note_stranger(peer);
        return true;
    }
    Place* place = places_.front().get();
    for (const auto& other : places_) {
        if (!other->taken()) {
            place = other.get();
            break;
        }
        place = other->deadline < place->deadline ? other.get() : place;
    }
    place->clear();
    place->begin(std::move(socket), listener.mesh(), peer);
    return true;
}

bool Server::take_hello(Place& place) {
    HelloBytes hello;
    std::ranges::copy(place.received(), hello.begin());
    auto grant = read_hello(hello);
    // Nodes come by the mesh, where their address says who they are.
    if (!grant || (grant->role == Role::node && !place.from_mesh)) {
        return false;
    }
    for (const mesh::ClusterSecret& secret : settings_.secrets) {
        const mesh::Secret key = grant_key(secret, *grant);
        if (!proves_grant(hello, key)) {
            continue;
        }
        const auto random = random_block();
        auto answer = random ? answer_hello(hello, key, *random) : std::nullopt;
        // It fits into the buffer of a connection that has sent nothing yet.
        if (!answer || ::send(place.socket(), answer->bytes.data(), answer->bytes.size(), MSG_NOSIGNAL) !=
                           static_cast<ssize_t>(answer->bytes.size())) {
            return false;
        }
        place.grant = std::move(*grant);
        place.keys = std::move(answer->keys);
        place.forget_received();
        return true;
    }
    return false;
}

void Server::take_request(Place& place) {
    const auto size = Opener::size_of(place.received());
    if (!size && place.received().size() < kRequestRoom) {
        return;
    }
    Opener opener(std::move(place.keys->to_server));
    const auto frame = size && *size == place.received().size() ? opener.open(place.received()) : std::nullopt;
    if (!frame || frame->kind != FrameKind::request) {
        note_stranger(place.peer);
        place.clear();
        return;
    }
    auto request = decode_request(frame->content);
    begin_session(place, request ? std::move(*request) : Request{});
}

/// The first of them at once, the others as a number.
void Server::note_stranger(const Address& peer) {
    ++strangers_;
    last_stranger_ = peer;
    if (!say_strangers_) {
        say_strangers_ = now() + kBetweenStrangers;
        say(concat("a connection from ", address_text(peer), " could not prove a grant of this cluster"));
        strangers_ = 0;
    }
}

void Server::on_time() {
    const Instant time = now();
    for (const auto& place : places_) {
        if (place->taken() && place->deadline <= time) {
            place->clear();
        }
    }
    if (say_strangers_ && *say_strangers_ <= time) {
        say_strangers_.reset();
        if (strangers_ > 0) {
            say(concat(strangers_, " more connections could not prove a grant, the last one from ",
                       address_text(last_stranger_)));
            strangers_ = 0;
            say_strangers_ = time + kBetweenStrangers;
        }
    }
}

std::optional<Instant> Server::next_deadline() const {
    std::optional<Instant> next = say_strangers_;
    for (const auto& place : places_) {
        if (place->taken() && (!next || place->deadline < *next)) {
            next = place->deadline;
        }
    }
    return next;
}

}  // namespace thole::remote
