#include "session.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "base/text.hpp"
#include "control/protocol.hpp"
#include "os/file.hpp"
#include "os/pipe.hpp"
#include "os/process.hpp"
#include "wires.hpp"

namespace thole::remote {

namespace {

constexpr Milliseconds kSendTime{30'000};
constexpr Milliseconds kConnectTime{5000};
constexpr Milliseconds kCommandTime{std::chrono::minutes(10)};
constexpr Milliseconds kFollowTime{std::chrono::hours(24)};
constexpr std::size_t kPiece = 8 << 10;

std::string command_text(const Request& request) {
    std::string text;
    for (const std::string& word : request.words) {
        append(text, text.empty() ? "" : " ", word);
    }
    return text;
}

void log(const Session& session, std::string_view outcome) {
    (void)write_all(STDERR_FILENO, concat(session.who, ": ", command_text(session.request), ": ", outcome, "\n"),
                    "the log");
}

Status send_frame(Session& session, FrameKind kind, std::string_view content) {
    return send_all(session.socket.get(), session.sealer.seal(kind, content), now() + kSendTime);
}

/// The command's process and the ends of its two streams that we read.
struct Running {
    Process process;
    std::array<Fd, 2> streams;  // standard output, standard error
};

/// In a group of its own, so that all of it can be killed.
Result<pid_t> spawn(const std::string& program, const Request& request, int output, int errors) {
    std::vector<char*> words{const_cast<char*>("thole")};
    for (const std::string& word : request.words) {
        words.push_back(const_cast<char*>(word.c_str()));
    }
    words.push_back(nullptr);
    std::string path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
    const std::array<char*, 2> environment{path.data(), nullptr};
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
    posix_spawnattr_t attributes;
    ::posix_spawnattr_init(&attributes);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    pid_t pid = -1;
    const int code = ::posix_spawn(&pid, program.c_str(), &actions, &attributes, words.data(), environment.data());
    ::posix_spawnattr_destroy(&attributes);
    ::posix_spawn_file_actions_destroy(&actions);
    if (code != 0) {
        return system_error("start", program, code);
    }
    return pid;
}

Result<Running> start(const std::string& program, const Request& request) {
    auto output = make_pipe("the command");
    auto errors = make_pipe("the command");
    if (!output || !errors) {
        return std::unexpected(output ? errors.error() : output.error());
    }
    const auto pid = spawn(program, request, output->writer.get(), errors->writer.get());
    if (!pid) {
        return std::unexpected(pid.error());
    }
    return Running{open_process(*pid), {std::move(output->reader), std::move(errors->reader)}};
}

/// Sends what a stream has; false where the client does not take it. A stream at its end is closed.
bool hand_on(Session& session, Fd& stream, FrameKind kind) {
    std::array<char, kPiece> buffer;
    const ssize_t count = ::read(stream.get(), buffer.data(), buffer.size());
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) {
        return true;
    }
    if (count <= 0) {
        stream.reset();
        return true;
    }
    return send_frame(session, kind, {buffer.data(), static_cast<std::size_t>(count)}).has_value();
}

enum class End : std::uint8_t { command, client, time };

/// Until the command has closed both streams, or the client says anything: it has nothing to say but that it goes.
End serve(Session& session, Running& running, Instant deadline) {
    while (running.streams[0] || running.streams[1]) {
        const auto left = (deadline - now()).count();
        if (left <= 0) {
            return End::time;
        }
        std::array<pollfd, 3> waiting{{{session.socket.get(), POLLIN | POLLRDHUP, 0},
                                       {running.streams[0].get(), POLLIN, 0},
                                       {running.streams[1].get(), POLLIN, 0}}};
        if (::poll(waiting.data(), waiting.size(), static_cast<int>(left)) < 0) {
            continue;
        }
        if (waiting[0].revents != 0) {
            return End::client;
        }
        for (std::size_t at = 0; at < 2; ++at) {
            const auto kind = at == 0 ? FrameKind::output : FrameKind::error_output;
            if (waiting[at + 1].revents != 0 && !hand_on(session, running.streams[at], kind)) {
                return End::client;
            }
        }
    }
    return End::command;
}

/// The exit status of the command, which is killed where it still runs and `end` is not its own.
int finish(const Running& running, End end) {
    if (end != End::command) {
        ::kill(-running.process.pid, SIGKILL);
    }
    int status = 0;
    while (::waitpid(running.process.pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool follows(const Request& request) {
    for (const std::string& word : request.words) {
        if (word == "-f" || word == "--follow") {
            return true;
        }
    }
    return request.words[0] == "events";
}

/// Hands on what one socket has to the other; false at its end.
bool pass_on(int from, int to) {
    std::array<char, kPiece> buffer;
    const ssize_t count = ::recv(from, buffer.data(), buffer.size(), 0);
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) {
        return true;
    }
    return count > 0 && send_all(to, {buffer.data(), static_cast<std::size_t>(count)}, now() + kSendTime).has_value();
}

}  // namespace

void refuse_session(Session& session, const Error& why) {
    log(session, concat("refused: ", why.message));
    (void)send_frame(session, FrameKind::refusal, one_field(why.message));
}

void run_session(Session& session, const SessionPlaces& places) {
    auto running = start(places.program, session.request);
    if (!running) {
        refuse_session(session, running.error());
        return;
    }
    log(session, "begins");
    const Instant began = now();
    const End end = serve(session, *running, began + (follows(session.request) ? kFollowTime : kCommandTime));
    const int status = finish(*running, end);
    if (end == End::command) {
        const char code = static_cast<char>(status);
        (void)send_frame(session, FrameKind::exit, {&code, 1});
        log(session, concat("exit status ", status, " after ", duration_text(now() - began)));
    } else if (end == End::client) {
        log(session, "ended, since the client has gone");
    } else {
        refuse_session(session, Error{"its time was over, and it was ended", 0});
    }
}

void relay_session(Session& session, const SessionPlaces& places) {
    const auto hosts = read_file(places.hosts);
    const auto address = find_node(hosts.value_or(std::string()), session.request.node, places.range);
    if (!address) {
        refuse_session(session, address.error());
        return;
    }
    const auto other = connect_to(socket_address(*address, places.port), places.device, now() + kConnectTime);
    if (!other) {
        refuse_session(session, Error{concat("node '", session.request.node, "': ", other.error().message), 0});
        return;
    }
    log(session, concat("handed on to ", session.request.node));
    if (!send_frame(session, FrameKind::relayed, {})) {
        return;
    }
    const Instant deadline = now() + kFollowTime;
    while (true) {
        std::array<pollfd, 2> waiting{{{session.socket.get(), POLLIN, 0}, {other->get(), POLLIN, 0}}};
        const auto left = (deadline - now()).count();
        if (left <= 0) {
            return;
        }
        if (::poll(waiting.data(), waiting.size(), static_cast<int>(left)) < 0) {
            continue;
        }
        if ((waiting[0].revents != 0 && !pass_on(session.socket.get(), other->get())) ||
            (waiting[1].revents != 0 && !pass_on(other->get(), session.socket.get()))) {
            return;
        }
    }
}

}  // namespace thole::remote
