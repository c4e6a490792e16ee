#include "log/logger.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "base/text.hpp"
#include "log/log_channel.hpp"
#include "log/log_file.hpp"
#include "log/log_message.hpp"
#include "log/tail.hpp"
#include "os/console.hpp"
#include "os/event_loop.hpp"
#include "os/file.hpp"

namespace thole {

namespace {

constexpr int kConnection = 3;
constexpr std::size_t kLongestLine = 8192;
constexpr std::size_t kTailLines = 5;

/// One service's pipe and file. Bytes are cut into lines; a line that does not end is written in pieces.
class LogStream : public EventSource {
   public:
    LogStream(std::string name, Fd pipe, const LogMessage& message)
        : name_(std::move(name)), pipe_(std::move(pipe)), file_(log_path(name_), message.size, message.count) {}

    void on_events(std::uint32_t /*events*/) override {
        std::array<char, 65'536> buffer;
        const ssize_t count = ::read(pipe_.get(), buffer.data(), buffer.size());
        if (count > 0) {
            take({buffer.data(), static_cast<std::size_t>(count)});
        }
    }

    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] int fd() const { return pipe_.get(); }

   private:
    void take(std::string_view bytes) {
        while (!bytes.empty()) {
            const auto end = bytes.find('\n');
            const auto piece = bytes.substr(0, std::min(end, kLongestLine));
            partial_ += piece;
            const bool whole = piece.size() == end;
            if (whole || partial_.size() >= kLongestLine) {
                file_.add(partial_);
                partial_.clear();
            }
            bytes.remove_prefix(piece.size() + (whole ? 1 : 0));
        }
    }

    std::string name_;
    Fd pipe_;
    LogFile file_;
    std::string partial_;
};

class Logger : public EventSource {
   public:
    explicit Logger(EventLoop loop) : loop_(std::move(loop)), console_(Console::open()) {}

    int run() {
        if (!loop_.add(kConnection, EPOLLIN, *this)) {
            return 1;
        }
        while (!over_) {
            loop_.wait(std::nullopt);
        }
        return 0;
    }

    void on_events(std::uint32_t /*events*/) override {
        LogMessage message;
        iovec part{&message, sizeof message};
        alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
        msghdr header{};
        header.msg_iov = &part;
        header.msg_iovlen = 1;
        header.msg_control = control.data();
        header.msg_controllen = control.size();
        const ssize_t size = ::recvmsg(kConnection, &header, MSG_CMSG_CLOEXEC);
        if (size < 0 && errno == EINTR) {
            return;
        }
        if (size != static_cast<ssize_t>(sizeof message)) {
            over_ = true;  // PID 1 is gone or has let go of us
            return;
        }
        message.name.back() = '\0';
        const std::string name = message.name.data();
        if (message.kind == LogMessage::Kind::show_tail) {
            show_tail(name);
        } else if (const cmsghdr* rights = CMSG_FIRSTHDR(&header);
                   rights != nullptr && rights->cmsg_type == SCM_RIGHTS) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(rights), sizeof fd);
            add(name, Fd(fd), message);
        }
    }

   private:
    void add(const std::string& name, Fd pipe, const LogMessage& message) {
        auto stream = std::make_unique<LogStream>(name, std::move(pipe), message);
        if (loop_.add(stream->fd(), EPOLLIN, *stream)) {
            streams_.push_back(std::move(stream));
        }
    }

    void show_tail(const std::string& name) {
        for (const auto& stream : streams_) {
            if (stream->name() == name) {
                drain(*stream);
            }
        }
        for (const std::string& line : last_lines(log_path(name), kTailLines)) {
            console_.line(concat("        ", name, ": ", line));
        }
    }

    /// What a failed service said last may still lie in its pipe.
    static void drain(LogStream& stream) {
        const int flags = ::fcntl(stream.fd(), F_GETFL);
        ::fcntl(stream.fd(), F_SETFL, flags | O_NONBLOCK);
        stream.on_events(EPOLLIN);
        ::fcntl(stream.fd(), F_SETFL, flags);
    }

    EventLoop loop_;
    Console console_;
    std::vector<std::unique_ptr<LogStream>> streams_;
    bool over_ = false;
};

}  // namespace

int logger_main() {
    (void)make_directories(std::string(kLogDirectory), 0755);  // a failure shows as lost lines, which are counted
    auto loop = EventLoop::make();
    return loop ? Logger(std::move(*loop)).run() : 1;
}

}  // namespace thole
