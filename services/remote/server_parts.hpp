// What a server is made of: its listeners, places for those who have proved nothing yet, and processes of sessions.
#pragma once

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cerrno>

#include "server.hpp"

namespace thole::remote {

inline constexpr std::size_t kRequestRoom = kLongestWords + kFrameExtra;
inline constexpr int kAcceptedAtOnce = 32;

/// To the log.
void say(std::string_view text);

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

}  // namespace thole::remote
