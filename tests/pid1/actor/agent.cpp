// The agent: runs commands, reads and writes files, and sends signals for the test, over one stream.
//
// A frame is: u32 length of what follows, u32 id, u8 kind, payload; numbers in this machine's order.
// Requests: 'r' run (words, each ended by NUL), 'k' end the command with this id (i32 signal), 's' send a signal
// (i32 pid, i32 signal), 'w' write a file (path, NUL, u32 mode, content), 'g' read a file (path), 'q' ask PID 1's
// control socket (the request), 'z' the zombies whose parent is PID 1. Answers: 'h' hello, 'o' output, 'e' error
// output, 'x' the end (i32: exit status, 128 + signal, or -errno).
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "actor.hpp"

namespace actor {

namespace {

constexpr std::size_t kHead = sizeof(std::uint32_t) + 1;

struct Command {
    std::uint32_t id = 0;
    pid_t pid = -1;
    int output = -1;
    int errors = -1;
};

class Agent {
   public:
    explicit Agent(int channel) : channel_(channel) {}

    [[noreturn]] void run() {
        sigset_t watched;
        ::sigemptyset(&watched);
        ::sigaddset(&watched, SIGCHLD);
        ::sigprocmask(SIG_BLOCK, &watched, &before_);
        signals_ = ::signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
        send(0, 'h', "");
        while (true) {
            step();
        }
    }

   private:
    void step() {
        std::vector<pollfd> polled{{channel_, POLLIN, 0}, {signals_, POLLIN, 0}};
        for (const Command& command : commands_) {
            polled.push_back({command.output, POLLIN, 0});
            polled.push_back({command.errors, POLLIN, 0});
        }
        if (::poll(polled.data(), polled.size(), -1) < 0) {
            return;
        }
        for (std::size_t at = 0; at < commands_.size(); ++at) {
            take_output(commands_[at].id, commands_[at].output, 'o', polled[2 + 2 * at].revents);
            take_output(commands_[at].id, commands_[at].errors, 'e', polled[3 + 2 * at].revents);
        }
        if (polled[1].revents != 0) {
            reap();
        }
        end_questions();
        if (polled[0].revents != 0) {
            take_requests();
        }
    }

    void send(std::uint32_t id, char kind, const std::string& payload) {
        const auto size = static_cast<std::uint32_t>(kHead + payload.size());
        std::string frame(sizeof size + kHead, '\0');
        std::memcpy(frame.data(), &size, sizeof size);
        std::memcpy(frame.data() + sizeof size, &id, sizeof id);
        frame[sizeof size + sizeof id] = kind;
        frame += payload;
        if (!write_all(channel_, frame.data(), frame.size())) {
            ::_exit(0);  // the test has gone
        }
    }

    void send_end(std::uint32_t id, std::int32_t status) {
        send(id, 'x', std::string(reinterpret_cast<const char*>(&status), sizeof status));
    }

    /// One read of a command's pipe; false at its end.
    bool take_output(std::uint32_t id, int& fd, char kind, short events) {
        if (fd < 0 || events == 0) {
            return false;
        }
        std::array<char, 16'384> buffer;
        const ssize_t count = ::read(fd, buffer.data(), buffer.size());
        if (count > 0) {
            send(id, kind, std::string(buffer.data(), static_cast<std::size_t>(count)));
            return true;
        }
        if (count == 0 || errno != EAGAIN) {
            ::close(fd);
            fd = -1;
        }
        return false;
    }

    /// A question has no process: it ends with its answer.
    void end_questions() {
        for (std::size_t at = 0; at < commands_.size();) {
            if (commands_[at].pid < 0 && commands_[at].output < 0) {
                send_end(commands_[at].id, 0);
                commands_.erase(commands_.begin() + static_cast<std::ptrdiff_t>(at));
            } else {
                ++at;
            }
        }
    }

    void reap() {
        signalfd_siginfo unused{};
        while (::read(signals_, &unused, sizeof unused) > 0) {
        }
        for (std::size_t at = 0; at < commands_.size();) {
            Command& command = commands_[at];
            int status = 0;
            if (command.pid < 0 || ::waitpid(command.pid, &status, WNOHANG) != command.pid) {
                ++at;
                continue;
            }
            while (take_output(command.id, command.output, 'o', POLLIN)) {
            }
            while (take_output(command.id, command.errors, 'e', POLLIN)) {
            }
            ::close(command.output);
            ::close(command.errors);
            send_end(command.id, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
            commands_.erase(commands_.begin() + static_cast<std::ptrdiff_t>(at));
        }
    }

    void take_requests() {
        std::array<char, 65'536> buffer;
        const ssize_t count = ::read(channel_, buffer.data(), buffer.size());
        if (count <= 0) {
            if (count < 0 && (errno == EINTR || errno == EAGAIN)) {
                return;
            }
            ::_exit(0);
        }
        received_.append(buffer.data(), static_cast<std::size_t>(count));
        std::uint32_t size = 0;
        while (received_.size() >= sizeof size) {
            std::memcpy(&size, received_.data(), sizeof size);
            if (received_.size() < sizeof size + size) {
                return;
            }
            const std::string frame = received_.substr(sizeof size, size);
            received_.erase(0, sizeof size + size);
            std::uint32_t id = 0;
            std::memcpy(&id, frame.data(), sizeof id);
            serve(id, frame[sizeof id], frame.substr(kHead));
        }
    }

    void serve(std::uint32_t id, char kind, const std::string& payload) {
        switch (kind) {
            case 'r': run_command(id, payload); return;
            case 'k': end_command(id, payload); return;
            case 's': send_signal(id, payload); return;
            case 'w': write_whole(id, payload); return;
            case 'g': read_whole(id, payload); return;
            case 'q': ask(id, payload); return;
            case 'z': list_zombies(id); return;
            default: send_end(id, -ENOSYS);
        }
    }

    void run_command(std::uint32_t id, const std::string& payload) {
        std::vector<std::string> words;
        for (std::size_t at = 0; at < payload.size();) {
            words.emplace_back(payload.c_str() + at);
            at += words.back().size() + 1;
        }
        std::array<int, 2> output{};
        std::array<int, 2> errors{};
        if (words.empty() || ::pipe2(output.data(), O_CLOEXEC) != 0 || ::pipe2(errors.data(), O_CLOEXEC) != 0) {
            send_end(id, -errno);
            return;
        }
        const pid_t pid = ::fork();
        if (pid < 0) {
            send_end(id, -errno);
            return;
        }
        if (pid == 0) {
            const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
            if (nothing >= 0) {
                ::dup2(nothing, 0);
            }
            ::dup2(output[1], 1);
            ::dup2(errors[1], 2);
            ::sigprocmask(SIG_SETMASK, &before_, nullptr);
            become(words);
        }
        ::close(output[1]);
        ::close(errors[1]);
        ::fcntl(output[0], F_SETFL, O_NONBLOCK);
        ::fcntl(errors[0], F_SETFL, O_NONBLOCK);
        commands_.push_back({id, pid, output[0], errors[0]});
    }

    void end_command(std::uint32_t id, const std::string& payload) {
        std::int32_t signal = 0;
        std::memcpy(&signal, payload.data(), sizeof signal);
        for (const Command& command : commands_) {
            if (command.id == id && command.pid < 0) {
                ::shutdown(command.output, SHUT_RDWR);
            } else if (command.id == id) {
                ::kill(command.pid, signal);
            }
        }
    }

    void send_signal(std::uint32_t id, const std::string& payload) {
        std::array<std::int32_t, 2> values{};
        std::memcpy(values.data(), payload.data(), sizeof values);
        send_end(id, ::kill(values[0], values[1]) == 0 ? 0 : -errno);
    }

    void write_whole(std::uint32_t id, const std::string& payload) {
        const std::string path = payload.substr(0, payload.find('\0'));
        std::uint32_t mode = 0;
        std::memcpy(&mode, payload.data() + path.size() + 1, sizeof mode);
        for (std::size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
            ::mkdir(path.substr(0, slash).c_str(), 0755);
        }
        const std::string content = payload.substr(path.size() + 1 + sizeof mode);
        // No truncation, creation or mode for what the kernel shows as files.
        const bool made = path.starts_with("/proc/") || path.starts_with("/sys/");
        const int flags = made ? O_WRONLY | O_CLOEXEC : O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC;
        const int fd = ::open(path.c_str(), flags, mode);
        if (fd < 0) {
            send_end(id, -errno);
            return;
        }
        const bool written = write_all(fd, content.data(), content.size());
        const int code = errno;
        ::close(fd);
        send_end(id, written ? 0 : -code);
    }

    void read_whole(std::uint32_t id, const std::string& path) {
        std::string content;
        if (!read_file(path, content)) {
            send_end(id, -errno);
            return;
        }
        for (std::size_t at = 0; at < content.size(); at += 65'536) {
            send(id, 'o', content.substr(at, 65'536));
        }
        send_end(id, 0);
    }

    /// Never waits: where PID 1's queue is full the test asks again.
    void ask(std::uint32_t id, const std::string& request) {
        const int fd = connect_to("/run/thole/control", false);
        if (fd < 0 || ::send(fd, request.data(), request.size(), MSG_NOSIGNAL) < 0) {
            send_end(id, -errno);
            ::close(fd);
            return;
        }
        commands_.push_back({id, -1, fd, -1});
    }

    void list_zombies(std::uint32_t id) {
        DIR* directory = ::opendir("/proc");
        if (directory == nullptr) {
            send_end(id, -errno);
            return;
        }
        std::string found;
        while (const dirent* entry = ::readdir(directory)) {
            std::string text;
            if (entry->d_name[0] > '9' || !read_file(std::string("/proc/") + entry->d_name + "/stat", text)) {
                continue;
            }
            if (text.substr(text.rfind(')') + 1).starts_with(" Z 1 ")) {
                found += text.substr(0, text.rfind(')') + 1) + "\n";
            }
        }
        ::closedir(directory);
        send(id, 'o', found);
        send_end(id, 0);
    }

    int channel_;
    int signals_ = -1;
    sigset_t before_{};
    std::string received_;
    std::vector<Command> commands_;
};

}  // namespace

int agent(Words words) {
    if (words.size() != 2) {
        errno = EINVAL;
        fail("agent PATH");
    }
    struct stat information{};
    if (::stat(words[1].c_str(), &information) != 0) {
        fail(words[1]);
    }
    const int channel =
        S_ISSOCK(information.st_mode) ? connect_to(words[1]) : ::open(words[1].c_str(), O_RDWR | O_CLOEXEC);
    if (channel < 0) {
        fail(words[1]);
    }
    Agent(channel).run();
}

}  // namespace actor
