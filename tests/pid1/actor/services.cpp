// How a service can behave: signals, exits, memory, logs, cgroups.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "actor.hpp"

namespace actor {

namespace {

volatile std::sig_atomic_t asked_to_stop = 0;

void note_stop(int /*signal*/) { asked_to_stop = 1; }

/// write-log LINES WORD: so many lines with a number each, or without end (-1) as fast as they are taken.
int write_log(Words words) {
    const std::int64_t lines = number(words[1]);
    const std::string filling(200, 'x');
    std::string block;
    for (std::int64_t at = 0; at != lines; ++at) {
        block += words[2] + " " + std::to_string(at) + " " + filling + "\n";
        if (block.size() > 60'000 || at + 1 == lines) {
            if (!write_all(STDOUT_FILENO, block.data(), block.size())) {
                return 1;
            }
            block.clear();
        }
    }
    return 0;
}

/// allocate MIB: takes and touches memory, says so, and keeps it.
[[noreturn]] void allocate(std::int64_t mebibytes) {
    for (std::int64_t at = 0; at < mebibytes; ++at) {
        void* memory =
            ::mmap(nullptr, std::size_t{1} << 20U, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) {
            fail("allocate");
        }
        std::memset(memory, 1, std::size_t{1} << 20U);
    }
    say("allocated");
    sleep_forever();
}

std::string own_cgroup() {
    std::string text;
    if (!read_file("/proc/self/cgroup", text)) {
        fail("/proc/self/cgroup");
    }
    const auto start = text.find("0::");
    const auto end = text.find('\n', start);
    return "/sys/fs/cgroup" + text.substr(start + 3, end - start - 3);
}

/// leak-cgroups DEPTH: a chain of cgroups below its own, itself in the innermost, which it never removes.
[[noreturn]] void leak_cgroups(std::int64_t depth) {
    std::string path = own_cgroup();
    for (std::int64_t at = 0; at < depth; ++at) {
        for (const char* name : {"/side", "/deep"}) {
            if (::mkdir((path + name).c_str(), 0755) != 0 && errno != EEXIST) {
                fail("mkdir " + path + name);
            }
        }
        path += "/deep";
    }
    if (!write_file(path + "/cgroup.procs", "0")) {
        fail("enter " + path);
    }
    say("leaked " + path);
    sleep_forever();
}

/// exit-when-there PATH STATUS: sleeps until a file is there.
int exit_when_there(Words words) {
    while (::access(words[1].c_str(), F_OK) != 0) {
        ::usleep(5000);
    }
    return static_cast<int>(number(words[2]));
}

/// slow-term MS: takes so long to stop after SIGTERM.
int slow_term(std::int64_t milliseconds) {
    struct sigaction action{};
    action.sa_handler = note_stop;
    ::sigaction(SIGTERM, &action, nullptr);
    while (asked_to_stop == 0) {
        ::usleep(5000);
    }
    timespec pause{milliseconds / 1000, static_cast<long>(milliseconds % 1000 * 1'000'000)};
    while (::nanosleep(&pause, &pause) != 0) {
    }
    return 0;
}

/// report-signal NUMBER: says when the signal has come, and ends with 0.
int report_signal(std::int64_t wanted) {
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, static_cast<int>(wanted));
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    say("waiting");
    int number = 0;
    while (::sigwait(&set, &number) != 0) {
    }
    say("got it");
    return 0;
}

}  // namespace

int services(Words words) {
    const std::string& verb = words[0];
    if (verb == "ignore-term") {
        ::signal(SIGTERM, SIG_IGN);
        say("ignoring SIGTERM");
    } else if (verb == "stop-self") {
        say("stopping itself");
        ::raise(SIGSTOP);
    } else if (verb == "exit") {
        if (words.size() > 2) {
            say(words[2]);
        }
        return static_cast<int>(number(words[1]));
    } else if (verb == "crash") {
        ::signal(SIGSEGV, SIG_DFL);
        ::raise(SIGSEGV);
    } else if (verb == "say") {
        say(words[1]);
    } else if (verb == "write-log") {
        return write_log(words);
    } else if (verb == "allocate") {
        allocate(number(words[1]));
    } else if (verb == "leak-cgroups") {
        leak_cgroups(number(words[1]));
    } else if (verb == "exit-when-there") {
        return exit_when_there(words);
    } else if (verb == "report-signal") {
        return report_signal(number(words[1]));
    } else if (verb == "slow-term") {
        return slow_term(number(words[1]));
    }
    sleep_forever();
}

}  // namespace actor
