// Mounts, the clock, limits of another process, directories.
#include <dirent.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>

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

}  // namespace

int machine(Words words) {
    const std::string& verb = words[0];
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
