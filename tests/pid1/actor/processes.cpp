// Children, orphans, daemons, bombs.
#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "actor.hpp"

namespace actor {

namespace {

constexpr std::int64_t kBrood = 100;

struct Orphan {
    alignas(16) std::array<char, 4096> stack;
    int gate;
    int other_end;
    int status;
};

int orphan_main(void* argument) {
    const Orphan& orphan = *static_cast<Orphan*>(argument);
    ::close(orphan.other_end);
    char unused = 0;
    [[maybe_unused]] const auto count = ::read(orphan.gate, &unused, 1);
    return orphan.status;
}

/// Makes `count` grandchildren whose parents have gone, so that they are PID 1's; each reads the pipe until it is
/// closed. Those of a brood share memory, which makes them cheap: under emulation a fork of 10,000 would take half a
/// minute.
void make_orphans(std::int64_t count, int gate, int other_end) {
    static std::array<Orphan, kBrood> brood;
    for (std::int64_t done = 0; done < count; done += kBrood) {
        const pid_t parent = ::fork();
        if (parent < 0) {
            fail("fork");
        }
        if (parent > 0) {
            int status = 0;
            ::waitpid(parent, &status, 0);
            if (status != 0) {
                errno = EAGAIN;
                fail("make orphans");
            }
            continue;
        }
        for (std::int64_t at = 0; at < kBrood && done + at < count; ++at) {
            Orphan& orphan = brood[static_cast<std::size_t>(at)];
            orphan.gate = gate;
            orphan.other_end = other_end;
            orphan.status = static_cast<int>(at);
            if (::clone(orphan_main, orphan.stack.data() + orphan.stack.size(), CLONE_VM | SIGCHLD, &orphan) < 0) {
                ::_exit(1);
            }
        }
        ::_exit(0);
    }
}

/// orphans N: N orphans that all end at the same moment.
int orphans(std::int64_t count) {
    std::array<int, 2> gate{};
    if (::pipe2(gate.data(), O_CLOEXEC) != 0) {
        fail("pipe");
    }
    make_orphans(count, gate[0], gate[1]);
    say("orphans are there");
    return 0;  // closes the gate
}

/// die-with-orphans N: N orphans and this process, all killed by one signal.
[[noreturn]] void die_with_orphans(std::int64_t count) {
    ::setpgid(0, 0);
    std::array<int, 2> gate{};
    if (::pipe2(gate.data(), O_CLOEXEC) != 0) {
        fail("pipe");
    }
    make_orphans(count, gate[0], gate[1]);
    say("dying with orphans");
    ::kill(0, SIGKILL);
    sleep_forever();
}

/// daemon PIDFILE [delete|stale]: forks twice as old daemons do; `-` writes no file.
int daemon_verb(Words words) {
    const std::string& path = words[1];
    const std::string mode = words.size() > 2 ? words[2] : "";
    if (::fork() != 0) {
        // The parent ends only when the file is there, as well-made daemons do.
        while (path != "-" && mode != "delete" && ::access(path.c_str(), F_OK) != 0) {
            ::usleep(1000);
        }
        return 0;
    }
    ::setsid();
    if (::fork() != 0) {
        ::_exit(0);
    }
    if (path != "-") {
        const std::string part = path + ".part";
        const int fd = ::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        const std::string text = (mode == "stale" ? std::string("4100000") : std::to_string(::getpid())) + "\n";
        (void)write_all(fd, text.data(), text.size());
        ::close(fd);
        ::rename(part.c_str(), path.c_str());
    }
    sleep_forever();
}

/// spawn-children N [ignore]: N children that sleep, with SIGTERM ignored where asked; says so, and sleeps.
[[noreturn]] void spawn_children(Words words) {
    const bool ignore = words.size() > 2 && words[2] == "ignore";
    for (std::int64_t left = number(words[1]); left > 0; --left) {
        if (ignore) {
            ::signal(SIGTERM, SIG_IGN);
        }
        const pid_t pid = ::fork();
        if (pid == 0) {
            sleep_forever();
        }
        if (pid < 0) {
            fail("fork");
        }
    }
    ::signal(SIGTERM, SIG_DFL);
    say("children are there");
    sleep_forever();
}

[[noreturn]] void fork_bomb() {
    say("forking");
    bool told = false;
    while (true) {
        const pid_t pid = ::fork();
        if (pid < 0) {
            if (!told) {
                say("held");
                told = true;
            }
            ::usleep(1000);
        }
    }
}

/// with-pid PID COMMAND...: a child with that very pid, which must be free; waits for it.
int with_pid(Words words) {
    auto wanted = static_cast<pid_t>(number(words[1]));
    struct {
        std::uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size,
            cgroup;
    } arguments{};
    arguments.exit_signal = SIGCHLD;
    arguments.set_tid = reinterpret_cast<std::uint64_t>(&wanted);
    arguments.set_tid_size = 1;
    const long pid = ::syscall(435, &arguments, sizeof arguments);  // clone3
    if (pid < 0) {
        fail("make a process with the pid " + words[1]);
    }
    if (pid == 0) {
        become(words.subspan(2));
    }
    say("there");
    int status = 0;
    ::waitpid(static_cast<pid_t>(pid), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int asleep(void* /*argument*/) { sleep_forever(); }

/// vfork-wait: in state D, because its vfork child sleeps; SIGTERM does not reach it, and is ignored by the child.
[[noreturn]] void vfork_wait() {
    ::signal(SIGTERM, SIG_IGN);
    say("waiting for a child that never goes on");
    alignas(16) static std::array<char, 4096> stack;
    // What vfork() does, but on a stack of the child's own: on its parent's it could not call anything.
    ::clone(asleep, stack.data() + stack.size(), CLONE_VM | CLONE_VFORK | SIGCHLD, nullptr);
    sleep_forever();
}

}  // namespace

int processes(Words words) {
    const std::string& verb = words[0];
    if (verb == "orphans") {
        return orphans(number(words[1]));
    }
    if (verb == "die-with-orphans") {
        die_with_orphans(number(words[1]));
    }
    if (verb == "daemon") {
        return daemon_verb(words);
    }
    if (verb == "spawn-children") {
        spawn_children(words);
    }
    if (verb == "with-pid") {
        return with_pid(words);
    }
    if (verb == "vfork-wait") {
        vfork_wait();
    }
    fork_bomb();
}

}  // namespace actor
