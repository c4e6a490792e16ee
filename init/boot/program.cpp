#include "boot/program.hpp"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "base/text.hpp"
#include "os/file.hpp"
#include "os/pipe.hpp"

namespace thole {

namespace {

constexpr std::size_t kKept = std::size_t{16} << 10U;

/// posix_spawn's file actions, destroyed at the end of the scope.
class Actions {
   public:
    Actions() { ::posix_spawn_file_actions_init(&actions_); }
    ~Actions() { ::posix_spawn_file_actions_destroy(&actions_); }
    Actions(const Actions&) = delete;
    Actions& operator=(const Actions&) = delete;

    posix_spawn_file_actions_t* get() { return &actions_; }

   private:
    posix_spawn_file_actions_t actions_{};
};

/// Reads to the end, so that the program never blocks, and keeps the beginning.
std::string drain(int fd) {
    std::string kept;
    std::array<char, 4096> buffer;
    while (true) {
        const ssize_t count = ::read(fd, buffer.data(), buffer.size());
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            return kept;
        }
        if (kept.size() < kKept) {
            kept.append(buffer.data(), static_cast<std::size_t>(count));
        }
    }
}

int wait_for(pid_t pid) {
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// The end to read from of a pipe that holds all of `text`: a pipe takes so little at once without a reader (pipe(7)).
Result<Fd> filled_pipe(std::string_view text) {
    auto made = make_pipe("what a program reads");
    if (!made) {
        return std::unexpected(made.error());
    }
    if (auto written = write_all(made->writer.get(), text, "a pipe"); !written) {
        return std::unexpected(written.error());
    }
    return std::move(made->reader);
}

}  // namespace

Result<ProgramResult> run_program(const std::vector<std::string>& arguments, std::string_view input) {
    const auto said = filled_pipe(input);
    auto answer = make_pipe("what a program says");
    if (!said || !answer) {
        return with_context(concat("start ", arguments[0]), said ? answer.error() : said.error());
    }
    Actions actions;
    ::posix_spawn_file_actions_adddup2(actions.get(), said->get(), STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(actions.get(), answer->writer.get(), STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(actions.get(), answer->writer.get(), STDERR_FILENO);
    std::vector<char*> words;
    for (const std::string& argument : arguments) {
        words.push_back(const_cast<char*>(argument.c_str()));
    }
    words.push_back(nullptr);
    std::string path = "PATH=/usr/sbin:/usr/bin";
    const std::array<char*, 2> environment{path.data(), nullptr};
    pid_t pid = -1;
    const int code = ::posix_spawn(&pid, words[0], actions.get(), nullptr, words.data(), environment.data());
    if (code != 0) {
        return system_error("start", arguments[0], code);
    }
    answer->writer.reset();
    ProgramResult result;
    result.output = drain(answer->reader.get());
    result.status = wait_for(pid);
    return result;
}

}  // namespace thole
