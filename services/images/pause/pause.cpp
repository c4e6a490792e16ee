// The process that holds a pod's namespaces open: it waits, and collects the children that other containers of the pod
// leave to it when they share one process namespace.

// NOLINTBEGIN(modernize-deprecated-headers): it is compiled without a C++ library.
#include <signal.h>
#include <string.h>
// NOLINTEND(modernize-deprecated-headers)
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char** argv) {
    if (argc == 2 && ::strcmp(argv[1], "-v") == 0) {
        constexpr char kText[] = "thole pause\n";
        return ::write(STDOUT_FILENO, kText, sizeof kText - 1) < 0 ? 1 : 0;
    }
    // Blocked, not handled: a process with number 1 ignores what it has no handler for, but a blocked signal waits.
    sigset_t awaited;
    ::sigemptyset(&awaited);
    ::sigaddset(&awaited, SIGINT);
    ::sigaddset(&awaited, SIGTERM);
    ::sigaddset(&awaited, SIGCHLD);
    if (::sigprocmask(SIG_BLOCK, &awaited, nullptr) != 0) {
        return 1;
    }
    for (;;) {
        const int received = ::sigwaitinfo(&awaited, nullptr);
        if (received == SIGINT || received == SIGTERM) {
            return 0;
        }
        while (::waitpid(-1, nullptr, WNOHANG) > 0) {
        }
    }
}
