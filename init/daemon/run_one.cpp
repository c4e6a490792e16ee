#include "daemon/run_one.hpp"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/text.hpp"
#include "os/file.hpp"

namespace thole {

namespace {

int complain(std::string_view text) {
    (void)write_all(STDERR_FILENO, concat("thole run-one: ", text, "\n"), "standard error");
    return errno == ENOENT ? 127 : 126;
}

int child_main(char** command, const sigset_t& signals_before) {
    ::setpgid(0, 0);
    if (::isatty(STDIN_FILENO) != 0) {
        ::tcsetpgrp(STDIN_FILENO, ::getpid());  // refused where the terminal is somebody else's: that is no error
    }
    ::sigprocmask(SIG_SETMASK, &signals_before, nullptr);
    ::execvp(command[0], command);
    const int code = errno;
    const std::string text = concat("cannot run ", static_cast<const char*>(command[0]), ": ", std::strerror(code));
    errno = code;
    return complain(text);
}

/// Takes all that have ended; the status of the main child when it is among them, else -1.
int reap(pid_t main) {
    int result = -1;
    int status = 0;
    for (pid_t pid = ::waitpid(-1, &status, WNOHANG); pid > 0; pid = ::waitpid(-1, &status, WNOHANG)) {
        if (pid == main) {
            result = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        }
    }
    return result;
}

}  // namespace

int run_one_main(std::span<char*> arguments) {
    if (!arguments.empty() && std::string_view(arguments[0]) == "--") {
        arguments = arguments.subspan(1);
    }
    if (arguments.empty()) {
        (void)write_all(STDERR_FILENO, "usage: thole run-one -- PROGRAM [ARGUMENT...]\n", "standard error");
        return 2;
    }
    if (::getpid() != 1) {
        ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    }
    ::signal(SIGPIPE, SIG_DFL);
    ::signal(SIGCHLD, SIG_DFL);  // ignored, as some engine may leave it, it would never be heard of
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    for (const int number : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGTRAP, SIGTTIN, SIGTTOU}) {
        ::sigdelset(&all, number);
    }
    ::signal(SIGTTOU, SIG_IGN);
    ::sigprocmask(SIG_SETMASK, &all, &before);
    const pid_t child = ::fork();
    if (child < 0) {
        return complain(concat("cannot make a process: ", std::strerror(errno)));
    }
    if (child == 0) {
        ::signal(SIGTTOU, SIG_DFL);
        ::_exit(child_main(arguments.data(), before));
    }
    while (true) {
        int number = 0;
        if (::sigwait(&all, &number) != 0) {
            continue;
        }
        if (number != SIGCHLD) {
            ::kill(child, number);
        } else if (const int status = reap(child); status >= 0) {
            return status;
        }
    }
}

}  // namespace thole
