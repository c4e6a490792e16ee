#include "server.hpp"

#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>

#include "allowed.hpp"
#include "base/text.hpp"
#include "os/file.hpp"
#include "wires.hpp"

namespace thole::remote {

namespace {

constexpr Milliseconds kBetweenStrangers{std::chrono::minutes(1)};
constexpr std::size_t kRequestRoom = kLongestWords + kFrameExtra;
constexpr int kBacklog = 128;
constexpr int kAcceptedAtOnce = 32;

void say(std::string_view text) { (void)write_all(STDERR_FILENO, concat(text, "\n"), "the log"); }

/// Listens at an address, or on a device at all of its addresses.
Result<Fd> listen_at(const Address& address, std::uint16_t port, std::string_view device) {
    Fd socket(::socket(address.family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const std::string name = concat(address_text(address), " port ", port);
    if (!socket) {
        return system_error("make a socket for", name);
    }
    // The mesh's device has a listener of its own beside the one for all addresses; the kernel prefers that.
    for (const int option : {SO_REUSEADDR, SO_REUSEPORT}) {
        const int on = 1;
        ::setsockopt(socket.get(), SOL_SOCKET, option, &on, sizeof on);
    }
    if (!device.empty() && ::setsockopt(socket.get(), SOL_SOCKET, SO_BINDTODEVICE, device.data(),
                                        static_cast<socklen_t>(device.size())) != 0) {
        return system_error("listen on", device);
    }
    const SocketAddress where = socket_address(address, port);
    if (::bind(socket.get(), where.get(), where.size) != 0 || ::listen(socket.get(), kBacklog) != 0) {
        return system_error("listen at", name);
    }
    return socket;
}

Address local_address(int socket) {
    SocketAddress own;
    own.size = sizeof own.storage;
    ::getsockname(socket, reinterpret_cast<sockaddr*>(&own.storage), &own.size);
    return address_of(own);
}

}  // namespace

class Server::Listener : public EventSource {
   public:
    Listener(Server& server, Fd socket, bool mesh) : server_(server), socket_(std::move(socket)), mesh_(mesh) {}
    ~Listener() override { server_.loop_.remove(socket_.get()); }
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

    void on_events(std::uint32_t /*events*/) override {
        for (int count = 0; count < kAcceptedAtOnce && server_.accept_one(*this); ++count) {
        }
    }
    [[nodiscard]] int socket() const { return socket_.get(); }
    [[nodiscard]] bool mesh() const { return mesh_; }

   private:
    Server& server_;
    Fd socket_;
    bool mesh_;
};

/// Says that links have come or gone (rtnetlink(7)); which ones is not asked of it.
class Server::LinkWatch : public EventSource {
   public:
    LinkWatch(Server& server, Fd socket) : server_(server), socket_(std::move(socket)) {}
    ~LinkWatch() override { server_.loop_.remove(socket_.get()); }
    LinkWatch(const LinkWatch&) = delete;
    LinkWatch& operator=(const LinkWatch&) = delete;

    void on_events(std::uint32_t /*events*/) override {
        std::array<char, 4096> ignored;
        while (::recv(socket_.get(), ignored.data(), ignored.size(), MSG_DONTWAIT | MSG_TRUNC) > 0) {
        }
        server_.open_mesh_listener();
    }

   private:
    Server& server_;
    Fd socket_;
};

/// A session's process.
class Server::Child : public EventSource {
   public:
    Child(Server& server, Process process) : server_(server), process_(std::move(process)) {}
    ~Child() override { server_.loop_.remove(process_.pidfd.get()); }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    void on_events(std::uint32_t /*events*/) override {
        ::waitpid(process_.pid, nullptr, 0);
        server_.forget(*this);
    }
    [[nodiscard]] int pidfd() const { return process_.pidfd.get(); }

   private:
    Server& server_;
    Process process_;
};

/// A connection whose peer has proved nothing yet. All that it may send fits in here.
class Server::Place : public EventSource {
   public:
    explicit Place(Server& server) : server_(server) {}

    void begin(Fd socket, bool mesh, const Address& from) {
        socket_ = std::move(socket);
        from_mesh = mesh;
        peer = from;
        deadline = now() + server_.settings_.proof_time;
        have_ = 0;
        (void)server_.loop_.add(socket_.get(), EPOLLIN, *this);
    }

    void clear() {
        if (socket_) {
            server_.loop_.remove(socket_.get());
        }
        socket_.reset();
        keys.reset();
    }

    void on_events(std::uint32_t /*events*/) override {
        const std::size_t wanted = keys ? room_.size() : kHelloSize;
        const ssize_t count = ::recv(socket_.get(), room_.data() + have_, wanted - have_, MSG_DONTWAIT);
        if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
            return;
        }
        if (count <= 0) {
            clear();
            return;
        }
        have_ += static_cast<std::size_t>(count);
        if (keys) {
            server_.take_request(*this);
        } else if (have_ == kHelloSize && !server_.take_hello(*this)) {
            server_.note_stranger(peer);
            clear();
        }
    }

    [[nodiscard]] bool taken() const { return static_cast<bool>(socket_); }
    [[nodiscard]] int socket() const { return socket_.get(); }
    [[nodiscard]] mesh::Bytes received() const { return {room_.data(), have_}; }
    void forget_received() { have_ = 0; }
    Fd give_socket() {
        server_.loop_.remove(socket_.get());
        return std::move(socket_);
    }

    bool from_mesh = false;
    Address peer;
    Instant deadline;
    Grant grant;
    std::optional<SessionKeys> keys;  // from the hello on

   private:
    Server& server_;
    Fd socket_;
    std::array<std::uint8_t, kRequestRoom> room_{};
    std::size_t have_ = 0;
};

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

Status Server::open() {
    if (settings_.outside) {
        auto socket = listen_at(*settings_.outside, settings_.places.port, {});
        if (!socket) {
            return std::unexpected(socket.error());
        }
        outside_ = std::make_unique<Listener>(*this, std::move(*socket), false);
        if (auto added = loop_.add(outside_->socket(), EPOLLIN, *outside_); !added) {
            return added;
        }
    }
    Fd links(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
    sockaddr_nl groups{};
    groups.nl_family = AF_NETLINK;
    groups.nl_groups = RTMGRP_LINK;
    if (!links || ::bind(links.get(), reinterpret_cast<const sockaddr*>(&groups), sizeof groups) != 0) {
        return system_error("watch", "the network interfaces");
    }
    const int number = links.get();
    links_ = std::make_unique<LinkWatch>(*this, std::move(links));
    if (auto added = loop_.add(number, EPOLLIN, *links_); !added) {
        return added;
    }
    open_mesh_listener();
    return {};
}

/// A device that was made anew has another index, and a socket of the old one hears nothing more.
void Server::open_mesh_listener() {
    const std::string& device = settings_.places.device;
    const unsigned index = ::if_nametoindex(device.c_str());
    if (index == mesh_index_) {
        return;
    }
    mesh_.reset();
    mesh_index_ = 0;
    if (index == 0) {
        say(concat(device, " is gone: nodes are not answered until it is back"));
        return;
    }
    auto socket = listen_at({.family = AF_INET6, .bytes = {}}, settings_.places.port, device);
    if (!socket) {
        say(socket.error().message);
        return;
    }
    auto listener = std::make_unique<Listener>(*this, std::move(*socket), true);
    if (loop_.add(listener->socket(), EPOLLIN, *listener)) {
        mesh_ = std::move(listener);
        mesh_index_ = index;
        say(concat("answers on ", device));
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
    Place* place = nullptr;
    for (const auto& other : places_) {
        if (!other->taken()) {
            place = other.get();
            break;
        }
        place = place == nullptr || other->deadline < place->deadline ? other.get() : place;
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

Role Server::role_of_peer(const Place& place) const {
    const Role granted = place.grant.role == Role::node ? settings_.nodes : place.grant.role;
    return place.from_mesh ? lesser(granted, settings_.nodes) : granted;
}

Status Server::check_session(const Place& place, const Request& request) const {
    if (request.words.empty()) {
        return failure("this is no request that this node knows: is `thole` of another version here?");
    }
    if (place.grant.expires <= static_cast<std::uint64_t>(::time(nullptr))) {
        return failure(concat("the grant of ", place.grant.name,
                              " has expired: `./thole config client` makes a new one (or this node's clock is wrong)"));
    }
    if (place.grant.role != Role::node &&
        std::ranges::find(settings_.refused, place.grant.name) != settings_.refused.end()) {
        return failure(concat("remote.refused-clients of this node names ", place.grant.name));
    }
    if (children_.size() >= kSessions) {
        return failure(concat("this node does ", kSessions, " things for others already"));
    }
    return {};
}

void Server::begin_session(Place& place, Request request) {
    const Role role = role_of_peer(place);
    std::string who = concat(place.grant.role == Role::node ? "node " : concat(role_name(place.grant.role), " "),
                             place.grant.name, " from ", address_text(place.peer));
    Status checked = check_session(place, request);
    const bool elsewhere = !place.from_mesh && !request.node.empty() && request.node != settings_.name;
    if (checked && !elsewhere) {
        checked = check_allowed(role, request.words);
    }
    Session session{place.give_socket(), Sealer(std::move(place.keys->to_client)), std::move(who), std::move(request)};
    place.clear();
    if (!checked) {
        refuse_session(session, checked.error());
        return;
    }
    const pid_t pid = ::fork();
    if (pid < 0) {
        refuse_session(session, system_error("start", "a process for it").error());
        return;
    }
    if (pid > 0) {
        children_.push_back(std::make_unique<Child>(*this, open_process(pid)));
        (void)loop_.add(children_.back()->pidfd(), EPOLLIN, *children_.back());
        return;
    }
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    // What else is open here belongs to the parent, and would keep its port from whoever comes after it.
    ::dup3(session.socket.get(), 3, O_CLOEXEC);
    ::syscall(SYS_close_range, 4U, ~0U, 0U);
    (void)session.socket.release();
    session.socket = Fd(3);
    keep_alive(3);
    if (elsewhere) {
        relay_session(session, settings_.places);
    } else {
        run_session(session, settings_.places);
    }
    ::_exit(0);
}

void Server::forget(const Child& child) {
    std::erase_if(children_, [&](const auto& other) { return other.get() == &child; });
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

std::uint16_t Server::outside_port() const {
    SocketAddress own;
    own.size = sizeof own.storage;
    ::getsockname(outside_->socket(), reinterpret_cast<sockaddr*>(&own.storage), &own.size);
    // The port stands at the same place in both families.
    sockaddr_in place{};
    std::memcpy(&place, &own.storage, sizeof place);
    return ntohs(place.sin_port);
}

}  // namespace thole::remote
