// orphans COUNT: makes COUNT processes whose parent is gone and says "ready"; after a line on standard input all of
// them end and it says "ended"; when PID 1 has taken the last zombie it prints that time (CLOCK_MONOTONIC,
// nanoseconds). Meant to be started in the pid namespace of the PID 1 that is measured, which the caller stops before
// the line and lets go on after "ended".
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static unsigned long long nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (unsigned long long)now.tv_sec * 1000000000U + (unsigned long long)now.tv_nsec;
}

static void say(const char* word) {
    puts(word);
    fflush(stdout);
}

static void wait_for_end(int gate) {
    char unused = 0;
    while (read(gate, &unused, 1) < 0 && errno == EINTR) {
    }
    _exit(0);
}

// The process between: makes the children and goes, which makes them orphans.
static void make_children(volatile pid_t* pids, int count, const int gate[2], int alive) {
    close(gate[1]);
    close(alive);
    for (int at = 0; at < count; ++at) {
        const pid_t pid = fork();
        if (pid == 0) {
            wait_for_end(gate[0]);
        }
        if (pid < 0) {
            _exit(1);
        }
        pids[at] = pid;
    }
    _exit(0);
}

int main(int arguments, char** values) {
    const int count = arguments > 1 ? atoi(values[1]) : 10000;
    volatile pid_t* pids =
        mmap(NULL, (size_t)count * sizeof(pid_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int gate[2];   // its writing end closed: the children end
    int alive[2];  // its writing end closed everywhere: they have ended
    if (pids == MAP_FAILED || pipe(gate) != 0 || pipe(alive) != 0) {
        return 1;
    }
    const pid_t between = fork();
    if (between == 0) {
        make_children(pids, count, gate, alive[0]);
    }
    int status = 0;
    if (waitpid(between, &status, 0) != between || status != 0) {
        fprintf(stderr, "orphans: could not make %d processes\n", count);
        return 1;
    }
    close(gate[0]);
    close(alive[1]);
    char line[8];
    say("ready");
    if (fgets(line, sizeof line, stdin) == NULL) {
        return 1;
    }
    close(gate[1]);
    while (read(alive[0], line, 1) > 0) {
    }
    say("ended");
    const unsigned long long limit = nanoseconds() + 60000000000U;
    for (int at = 0; at < count;) {
        if (kill(pids[at], 0) != 0 && errno == ESRCH) {
            ++at;
            continue;
        }
        const struct timespec moment = {0, 200000};
        nanosleep(&moment, NULL);
        if (nanoseconds() > limit) {
            fprintf(stderr, "orphans: %d of %d were not reaped within a minute\n", count - at, count);
            return 2;
        }
    }
    printf("%llu\n", nanoseconds());
    return 0;
}
