// Mounts, the clock, limits of another process, directories, network interfaces.
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "actor.hpp"

namespace actor {

namespace {

/// list DIRECTORY: a line each, with the target where it is a link.
int list(const std::string& path) {
    DIR* directory = ::opendir(path.c_str());
    if (directory == nullptr) {
        fail(path);
    }
    const std::string folder = path + "/";
    while (const dirent* entry = ::readdir(directory)) {
        std::string line = entry->d_name;
        if (line == "." || line == "..") {
            continue;
        }
        std::array<char, 4096> target{};
        const ssize_t length = ::readlink((folder + line).c_str(), target.data(), target.size() - 1);
        if (length >= 0) {
            line.append(" -> ").append(target.data());
        }
        say(line);
    }
    return 0;
}

/// clock SECONDS: the wall clock so many seconds on (or back).
int clock(std::int64_t seconds) {
    timeval time{};
    ::gettimeofday(&time, nullptr);
    time.tv_sec += seconds;
    if (::settimeofday(&time, nullptr) != 0) {
        fail("set the clock");
    }
    return 0;
}

/// limit-files PID COUNT: prints the soft limit that was.
int limit_files(Words words) {
    struct Limit {
        std::uint64_t soft, hard;
    };
    Limit before{};
    const auto pid = static_cast<pid_t>(number(words[1]));
    if (::syscall(SYS_prlimit64, pid, RLIMIT_NOFILE, nullptr, &before) != 0) {
        fail("read the limit");
    }
    const Limit wanted{static_cast<std::uint64_t>(number(words[2])), before.hard};
    if (::syscall(SYS_prlimit64, pid, RLIMIT_NOFILE, &wanted, nullptr) != 0) {
        fail("set the limit");
    }
    say(std::to_string(before.soft));
    return 0;
}

/// fill PATH: writes until the file system is full.
int fill(const std::string& path) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        fail(path);
    }
    const std::string block(512, 'x');
    while (::write(fd, block.data(), block.size()) > 0) {
    }
    return 0;
}

template <typename Request, typename Value>
void control(int (*call)(int, Request, ...), int fd, unsigned long request, Value* value, const char* what) {
    if (call(fd, static_cast<Request>(request), value) != 0) {
        fail(what);
    }
}

/// make-interface NAME ADDRESS: an interface with an address in the network namespace that this runs in, as a container
/// engine gives one to each container.
int make_interface(Words words) {
    ifreq request{};
    words[1].copy(request.ifr_name, IFNAMSIZ - 1);
    request.ifr_flags = IFF_TAP | IFF_NO_PI;
    const int tunnel = ::open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    control(::ioctl, tunnel, TUNSETIFF, &request, "make the interface");
    if (::ioctl(tunnel, static_cast<int>(TUNSETPERSIST), 1) != 0) {
        fail("keep the interface");
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    if (::inet_pton(AF_INET, words[2].c_str(), &address.sin_addr) != 1) {
        fail(words[2]);
    }
    std::memcpy(&request.ifr_addr, &address, sizeof address);
    const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    control(::ioctl, fd, SIOCSIFADDR, &request, "give the interface its address");
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    control(::ioctl, fd, SIOCSIFFLAGS, &request, "bring the interface up");
    return 0;
}

/// show PATH: a file's content.
int show(const std::string& path) {
    std::string content;
    if (!read_file(path, content)) {
        fail(path);
    }
    return write_all(STDOUT_FILENO, content.data(), content.size()) ? 0 : 1;
}

/// write-file PATH TEXT: a new file.
int write_new(Words words) {
    const int fd = ::open(words[1].c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0 || !write_all(fd, words[2].data(), words[2].size())) {
        fail(words[1]);
    }
    ::close(fd);
    return 0;
}

/// count-zombies: how many processes of this PID namespace have ended and were not reaped.
int count_zombies() {
    DIR* directory = ::opendir("/proc");
    if (directory == nullptr) {
        fail("/proc");
    }
    int count = 0;
    while (const dirent* entry = ::readdir(directory)) {
        std::string text;
        const bool process = entry->d_name[0] >= '0' && entry->d_name[0] <= '9';
        if (process && read_file(std::string("/proc/") + entry->d_name + "/stat", text)) {
            count += text.substr(text.rfind(')') + 1).starts_with(" Z ") ? 1 : 0;
        }
    }
    ::closedir(directory);
    say(std::to_string(count));
    return 0;
}

}  // namespace

int machine(Words words) {
    const std::string& verb = words[0];
    if (verb == "make-interface") {
        return make_interface(words);
    }
    if (verb == "write-file") {
        return write_new(words);
    }
    if (verb == "count-zombies") {
        return count_zombies();
    }
    if (verb == "signal") {  // signal PID NUMBER
        if (::kill(static_cast<pid_t>(number(words[1])), static_cast<int>(number(words[2]))) != 0) {
            fail("signal " + words[1]);
        }
        return 0;
    }
    if (verb == "show") {
        return show(words[1]);
    }
    if (verb == "mount") {  // mount TYPE TARGET OPTIONS
        if (::mount(words[1].c_str(), words[2].c_str(), words[1].c_str(), 0, words[3].c_str()) != 0) {
            fail("mount " + words[2]);
        }
        return 0;
    }
    if (verb == "umount") {
        if (::umount2(words[1].c_str(), MNT_DETACH) != 0) {
            fail("unmount " + words[1]);
        }
        return 0;
    }
    if (verb == "remove") {
        for (const std::string& path : words.subspan(1)) {
            if (::unlink(path.c_str()) != 0) {
                fail("remove " + path);
            }
        }
        return 0;
    }
    if (verb == "make-directory") {
        if (::mkdir(words[1].c_str(), 0755) != 0) {
            fail("make-directory " + words[1]);
        }
        return 0;
    }
    if (verb == "clock") {
        return clock(number(words[1]));
    }
    if (verb == "limit-files") {
        return limit_files(words);
    }
    return verb == "fill" ? fill(words[1]) : list(words[1]);
}

}  // namespace actor
