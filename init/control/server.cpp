#include "control/server.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/text.hpp"
#include "control/protocol.hpp"

namespace thole {

namespace {

constexpr std::size_t kMostConnections = 32;
constexpr std::chrono::milliseconds kConnectionTime{5000};

}  // namespace

class ControlServer::Connection : public EventSource {
   public:
    Connection(ControlServer& server, Fd socket)
        : server_(server), socket_(std::move(socket)), deadline_(now() + kConnectionTime) {}

    void on_events(std::uint32_t /*events*/) override {
        const bool over = answer_.empty() ? !read_request() : !write_answer();
        if (over) {
            server_.forget(*this);  // destroys this object
        }
    }

    [[nodiscard]] int fd() const { return socket_.get(); }
    [[nodiscard]] Instant deadline() const { return deadline_; }

   private:
    /// False when the connection is over.
    bool read_request() {
        std::array<char, kLongestRequest> buffer;
        const ssize_t count = ::read(socket_.get(), buffer.data(), buffer.size());
        if (count < 0) {
            return errno == EAGAIN || errno == EINTR;
        }
        request_.append(buffer.data(), static_cast<std::size_t>(count));
        const auto end = request_.find('\n');
        if (end == std::string::npos) {
            return count > 0 && request_.size() <= kLongestRequest;
        }
        const std::string line = request_.substr(0, end);
        auto body = server_.handler_.answer(split_words(line));
        answer_ = body ? concat("ok\n", *body) : concat("error ", body.error().message, "\n");
        server_.loop_.change(socket_.get(), EPOLLOUT, *this);
        return write_answer();
    }

    bool write_answer() {
        const ssize_t count = ::send(socket_.get(), answer_.data() + sent_, answer_.size() - sent_, MSG_NOSIGNAL);
        if (count < 0) {
            return errno == EAGAIN || errno == EINTR;
        }
        sent_ += static_cast<std::size_t>(count);
        return sent_ < answer_.size();
    }

    ControlServer& server_;
    Fd socket_;
    Instant deadline_;
    std::string request_;
    std::string answer_;
    std::size_t sent_ = 0;
};

ControlServer::ControlServer(Fd socket, EventLoop& loop, RequestHandler& handler)
    : socket_(std::move(socket)), loop_(loop), handler_(handler) {}

ControlServer::~ControlServer() = default;

Result<std::unique_ptr<ControlServer>> ControlServer::listen(const std::string& path, EventLoop& loop,
                                                             RequestHandler& handler) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
        return failure(concat("the socket path ", path, " is too long"));
    }
    path.copy(address.sun_path, path.size());
    ::unlink(path.c_str());
    Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const mode_t before = ::umask(0177);
    const bool bound = socket &&
                       ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
                       ::listen(socket.get(), 64) == 0;
    const int code = errno;
    ::umask(before);
    if (!bound) {
        return system_error("listen on", path, code);
    }
    std::unique_ptr<ControlServer> server(new ControlServer(std::move(socket), loop, handler));
    if (auto added = loop.add(server->socket_.get(), EPOLLIN, *server); !added) {
        return std::unexpected(added.error());
    }
    return server;
}

void ControlServer::on_events(std::uint32_t /*events*/) {
    Fd socket(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket) {
        return;
    }
    auto connection = std::make_unique<Connection>(*this, std::move(socket));
    if (!loop_.add(connection->fd(), EPOLLIN, *connection)) {
        return;
    }
    connections_.push_back(std::move(connection));
    if (connections_.size() == kMostConnections) {
        loop_.change(socket_.get(), 0, *this);  // the others wait in the kernel's queue; no busy loop
        accepting_ = false;
    }
}

void ControlServer::forget(const Connection& connection) {
    loop_.remove(connection.fd());
    std::erase_if(connections_, [&](const auto& candidate) { return candidate.get() == &connection; });
    if (!accepting_) {
        loop_.change(socket_.get(), EPOLLIN, *this);
        accepting_ = true;
    }
}

void ControlServer::on_time() {
    const Instant time = now();
    while (!connections_.empty() && connections_.front()->deadline() <= time) {
        forget(*connections_.front());  // they stand in the order of their deadlines
    }
}

std::optional<Instant> ControlServer::next_deadline() const {
    return connections_.empty() ? std::nullopt : std::optional(connections_.front()->deadline());
}

}  // namespace thole
