// spawn HEAP_MEGABYTES SECONDS: how many processes a second a program with such a heap starts and reaps, by init's own
// launcher, by posix_spawn(3) and by fork() + exec. Prints "NAME RATE" lines. The heap is touched, so that it is there.
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "os/launcher.hpp"

namespace {

constexpr const char* kProgram = "/bench/nothing";

double seconds() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

bool reap(pid_t pid) {
    int status = 0;
    return pid > 0 && ::waitpid(pid, &status, 0) == pid && status == 0;
}

bool by_init() {
    static thole::Launcher launcher;
    thole::SpawnPlan plan;
    plan.command = {kProgram};
    const auto process = launcher.begin(std::move(plan));
    return process && reap(process->pid) && launcher.take();
}

bool by_posix_spawn() {
    char name[] = "nothing";
    char* const arguments[] = {name, nullptr};
    char* const environment[] = {nullptr};
    pid_t pid = -1;
    return ::posix_spawn(&pid, kProgram, nullptr, nullptr, arguments, environment) == 0 && reap(pid);
}

bool by_fork() {
    const pid_t pid = ::fork();
    if (pid == 0) {
        char name[] = "nothing";
        char* const arguments[] = {name, nullptr};
        char* const environment[] = {nullptr};
        ::execve(kProgram, arguments, environment);
        ::_exit(127);
    }
    return reap(pid);
}

bool measure(const char* name, bool (*start)(), double time) {
    const double begin = seconds();
    double end = 0;
    unsigned long count = 0;
    while ((end = seconds()) < begin + time) {
        if (!start()) {
            std::fprintf(stderr, "spawn: %s does not start %s\n", name, kProgram);
            return false;
        }
        ++count;
    }
    std::printf("%s %.1f\n", name, static_cast<double>(count) / (end - begin));
    return true;
}

}  // namespace

int main(int count, char** values) {
    const std::size_t heap = count > 1 ? std::strtoul(values[1], nullptr, 10) << 20U : 0;
    const double time = count > 2 ? std::strtod(values[2], nullptr) : 1;
    if (heap != 0) {
        void* memory = ::mmap(nullptr, heap, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) {
            return 1;
        }
        ::madvise(memory, heap, MADV_NOHUGEPAGE);  // as a heap grown by brk(2) and small mmaps is
        std::memset(memory, 1, heap);
    }
    return measure("init", by_init, time) && measure("posix_spawn", by_posix_spawn, time) &&
                   measure("fork", by_fork, time)
               ? 0
               : 1;
}
