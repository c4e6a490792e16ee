// A service that does nothing but say when its main() began: CLOCK_MONOTONIC in nanoseconds, in its slot of
// /bench/times. Its number is its argument; a supervisor that runs a file without arguments (s6, runit) starts it in a
// folder whose name ends with the number.
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static long number_of(const char* text) {
    const char* digits = strpbrk(text, "0123456789");
    return digits == NULL ? 0 : strtol(digits, NULL, 10);
}

int main(int count, char** values) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    const uint64_t nanoseconds = (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
    char folder[256] = "";
    long number = count > 1 ? number_of(values[1]) : 0;
    if (number == 0 && getcwd(folder, sizeof folder) != NULL) {
        const char* last = strrchr(folder, '/');
        number = number_of(last == NULL ? folder : last);
    }
    const int file = open("/bench/times", O_WRONLY | O_CLOEXEC);
    if (number == 0 || file < 0 || pwrite(file, &nanoseconds, sizeof nanoseconds, 8 * number) != sizeof nanoseconds) {
        return 1;
    }
    close(file);
    for (;;) {
        pause();
    }
}
