// The actor: one program that plays every part in the tests of PID 1, because a node has no shell. `actor VERB ...`.
#include "actor.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace actor {

void fail(const std::string& what) {
    const std::string text = "actor: " + what + ": " + std::strerror(errno) + "\n";
    (void)write_all(STDERR_FILENO, text.data(), text.size());
    ::_exit(99);
}

void say(const std::string& text) {
    const std::string line = text + "\n";
    (void)write_all(STDOUT_FILENO, line.data(), line.size());
}

bool write_all(int fd, const char* data, std::size_t size) {
    while (size > 0) {
        const ssize_t count = ::write(fd, data, size);
        if (count < 0 && errno != EINTR) {
            return false;
        }
        if (count > 0) {
            data += count;
            size -= static_cast<std::size_t>(count);
        }
    }
    return true;
}

bool read_file(const std::string& path, std::string& out) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return false;
    }
    std::array<char, 65'536> buffer;
    ssize_t count = 0;
    while ((count = ::read(fd, buffer.data(), buffer.size())) > 0) {
        out.append(buffer.data(), static_cast<std::size_t>(count));
    }
    const int code = errno;
    ::close(fd);
    errno = code;
    return count == 0;
}

bool write_file(const std::string& path, const std::string& text) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    const int code = errno;
    ::close(fd);
    errno = code;
    return written;
}

std::int64_t number(const std::string& text) {
    char* end = nullptr;
    const std::int64_t value = std::strtoll(text.c_str(), &end, 10);
    if (text.empty() || *end != '\0') {
        errno = EINVAL;
        fail("'" + text + "' is no number");
    }
    return value;
}

void sleep_forever() {
    while (true) {
        ::pause();
    }
}

void become(Words command) {
    std::vector<char*> arguments;
    for (const std::string& word : command) {
        arguments.push_back(const_cast<char*>(word.c_str()));
    }
    arguments.push_back(nullptr);
    ::execvp(arguments[0], arguments.data());
    errno = errno == 0 ? ENOENT : errno;
    const std::string text = "actor: execute " + command[0] + ": " + std::strerror(errno) + "\n";
    (void)write_all(STDERR_FILENO, text.data(), text.size());
    ::_exit(127);
}

int connect_to(const std::string& path, bool patient) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | (patient ? 0 : SOCK_NONBLOCK), 0);
    if (fd >= 0 && ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        const int code = errno;
        ::close(fd);
        errno = code;
        return -1;
    }
    return fd;
}

namespace {

struct Room {
    const char* verbs;  // with a space before and after each
    int (*play)(Words words);
};

constexpr std::array kRooms{
    Room{" agent ", agent},
    Room{" enter ", enter},
    Room{" orphans die-with-orphans daemon spawn-children fork-bomb with-pid vfork-wait ", processes},
    Room{" sleep-forever ignore-term stop-self exit crash say write-log allocate leak-cgroups exit-when-there "
         "slow-term report-signal ",
         services},
    Room{" notify notify-odd notify-flood ", notifications},
    Room{" ask clients terminal ", control},
    Room{" mount umount clock limit-files list fill remove make-directory make-interface "
         "show write-file signal count-zombies ",
         machine},
};

}  // namespace

}  // namespace actor

int main(int count, char** values) {
    const std::vector<std::string> words(values + (count > 0 ? 1 : 0), values + count);
    if (!words.empty()) {
        for (const auto& room : actor::kRooms) {
            if (std::string(room.verbs).find(" " + words[0] + " ") != std::string::npos) {
                return room.play(words);
            }
        }
    }
    errno = EINVAL;
    actor::fail("no such verb");
}
