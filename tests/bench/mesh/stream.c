// stream serve PORT: takes bytes of one connection after the other, and answers each with how many they were.
// stream send ADDRESS PORT SECONDS: sends for so long, waits for that answer, and prints "BYTES SECONDS".
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static char buffer[1 << 17];

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int fail(const char* what) {
    perror(what);
    return 1;
}

static int serve(const struct sockaddr_in* where) {
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    const int yes = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (const struct sockaddr*)where, sizeof *where) != 0 || listen(listener, 4) != 0) {
        return fail("listen");
    }
    for (;;) {
        const int taken = accept(listener, NULL, NULL);
        uint64_t total = 0;
        for (ssize_t count = 1; (count = read(taken, buffer, sizeof buffer)) > 0;) {
            total += (uint64_t)count;
        }
        (void)!write(taken, &total, sizeof total);
        close(taken);
    }
}

static int send_for(const struct sockaddr_in* where, double seconds) {
    const int out = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(out, (const struct sockaddr*)where, sizeof *where) != 0) {
        return fail("connect");
    }
    const double begun = now();
    while (now() - begun < seconds) {
        if (write(out, buffer, sizeof buffer) < 0) {
            return fail("write");
        }
    }
    uint64_t total = 0;
    if (shutdown(out, SHUT_WR) != 0 || read(out, &total, sizeof total) != (ssize_t)sizeof total) {
        return fail("read the answer");
    }
    printf("%llu %.6f\n", (unsigned long long)total, now() - begun);
    return 0;
}

int main(int count, char** words) {
    struct sockaddr_in where;
    memset(&where, 0, sizeof where);
    where.sin_family = AF_INET;
    if (count == 3 && strcmp(words[1], "serve") == 0) {
        where.sin_port = htons((uint16_t)atoi(words[2]));
        return serve(&where);
    }
    if (count == 5 && strcmp(words[1], "send") == 0 && inet_pton(AF_INET, words[2], &where.sin_addr) == 1) {
        where.sin_port = htons((uint16_t)atoi(words[3]));
        return send_for(&where, atof(words[4]));
    }
    fprintf(stderr, "stream serve PORT | send ADDRESS PORT SECONDS\n");
    return 2;
}
