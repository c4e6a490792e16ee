#include "control/server.hpp"

#include <fcntl.h>
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

constexpr Milliseconds kConnectionTime{5000};
constexpr Milliseconds kPause{200};

/// Sends without waiting. Returns how much went, 0 where the peer's buffer is full, -1 where there is no peer.
ssize_t send_some(int socket, std::string_view text) {
    const ssize_t count = ::send(socket, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return count < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : count;
}

Fd open_spare() { return Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

}  // namespace

/// One request and its answer. It has a deadline.
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
        if (end == std::string::npos && request_.size() <= kLongestRequest) {
            return count > 0;
        }
        const auto words = split_words(std::string_view(request_).substr(0, end));
        if (words.size() == 1 && words[0] == "events" && server_.readers_.size() < kMostReaders) {
            server_.loop_.remove(socket_.get());
            server_.add_reader(std::move(socket_));
            return false;
        }
        compose(end == std::string::npos ? failure("the request is too long") : server_.answer(words));
        server_.loop_.change(socket_.get(), EPOLLOUT, *this);
        return write_answer();
    }

    void compose(const Result<std::string>& body) {
        const std::string_view text = body ? *body : body.error().message;
        answer_.reserve(text.size() + sizeof "error \n");
        answer_ += body ? "ok\n" : "error ";
        answer_ += text;
        if (!body) {
            answer_ += '\n';
        }
    }

    bool write_answer() {
        const ssize_t count = send_some(socket_.get(), std::string_view(answer_).substr(sent_));
        if (count < 0) {
            return false;
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

/// Somebody who reads `events` for as long as it likes.
class ControlServer::Reader : public EventSource {
   public:
    Reader(ControlServer& server, Fd socket) : server_(server), socket_(std::move(socket)) {}

    void on_events(std::uint32_t events) override {
        if ((events & (EPOLLHUP | EPOLLERR)) != 0 || !take_rest((events & EPOLLIN) != 0) || !write_some()) {
            server_.forget_reader(*this);  // destroys this object
        }
    }

    [[nodiscard]] int fd() const { return socket_.get(); }

    /// False when the reader is to be dropped: it has gone, or it does not read.
    bool send(std::string_view line) {
        if (unread_.size() + line.size() > kMostUnread) {
            return false;
        }
        unread_ += line;
        return write_some();
    }

   private:
    /// One that has closed its sending half may go on reading; one that still sends is no reader of events.
    bool take_rest(bool readable) {
        char letter = 0;
        if (!readable || mute_) {
            return true;
        }
        mute_ = ::read(socket_.get(), &letter, 1) == 0;
        return mute_;
    }

    bool write_some() {
        const ssize_t count = unread_.empty() ? 0 : send_some(socket_.get(), unread_);
        if (count < 0) {
            return false;
        }
        unread_.erase(0, static_cast<std::size_t>(count));
        const std::uint32_t wanted = (mute_ ? 0U : EPOLLIN) | (unread_.empty() ? 0U : EPOLLOUT);
        server_.loop_.change(socket_.get(), wanted, *this);
        return true;
    }

    ControlServer& server_;
    Fd socket_;
    std::string unread_;
    bool mute_ = false;
};

ControlServer::ControlServer(Fd socket, EventLoop& loop, RequestHandler& handler)
    : socket_(std::move(socket)), spare_(open_spare()), loop_(loop), handler_(handler) {}

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
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            refuse_one();
        }
        return;
    }
    auto connection = std::make_unique<Connection>(*this, std::move(socket));
    if (!loop_.add(connection->fd(), EPOLLIN, *connection)) {
        return;
    }
    connections_.push_back(std::move(connection));
    if (connections_.size() == kMostRequests) {
        pause_accepting();
    }
}

/// Without this a connection that cannot be accepted would wake PID 1 again and again.
void ControlServer::refuse_one() {
    spare_.reset();
    if (const Fd socket(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)); socket) {
        (void)send_some(socket.get(), "error PID 1 has no descriptor left for this request\n");
    } else if (errno != EAGAIN) {
        pause_accepting();
        accept_again_ = now() + kPause;
    }
    spare_ = open_spare();
}

void ControlServer::pause_accepting() {
    loop_.change(socket_.get(), 0, *this);  // the others wait in the kernel's queue
    accepting_ = false;
}

void ControlServer::resume_accepting() {
    if (!accepting_ && connections_.size() < kMostRequests) {
        loop_.change(socket_.get(), EPOLLIN, *this);
        accepting_ = true;
        accept_again_.reset();
    }
}

Result<std::string> ControlServer::answer(const std::vector<std::string_view>& words) {
    if (words.size() == 1 && words[0] == "events") {
        return failure(concat("events are being read by ", kMostReaders, " already, which is the most there may be"));
    }
    return handler_.answer(words);
}

void ControlServer::add_reader(Fd socket) {
    auto reader = std::make_unique<Reader>(*this, std::move(socket));
    readers_.push_back(std::move(reader));
    Reader& added = *readers_.back();
    if (!loop_.add(added.fd(), EPOLLIN, added) || !added.send("ok\n")) {
        forget_reader(added);
    }
}

void ControlServer::publish(std::string_view line) {
    for (std::size_t at = readers_.size(); at-- > 0;) {
        if (!readers_[at]->send(line)) {
            forget_reader(*readers_[at]);
        }
    }
}

void ControlServer::forget(const Connection& connection) {
    loop_.remove(connection.fd());
    std::erase_if(connections_, [&](const auto& candidate) { return candidate.get() == &connection; });
    resume_accepting();
}

void ControlServer::forget_reader(const Reader& reader) {
    loop_.remove(reader.fd());
    std::erase_if(readers_, [&](const auto& candidate) { return candidate.get() == &reader; });
}

void ControlServer::on_time(Instant time) {
    while (!connections_.empty() && connections_.front()->deadline() <= time) {
        forget(*connections_.front());  // they stand in the order of their deadlines
    }
    if (accept_again_ && *accept_again_ <= time) {
        resume_accepting();
    }
}

std::optional<Instant> ControlServer::next_deadline() const {
    std::optional<Instant> next = accept_again_;
    if (!connections_.empty() && (!next || connections_.front()->deadline() < *next)) {
        next = connections_.front()->deadline();
    }
    return next;
}

}  // namespace thole
