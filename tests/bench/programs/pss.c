// pss SECONDS: waits, then writes to /dev/ttyS0 a line "bench: NAME KILOBYTES" for each process but itself (its
// proportional set size, of /proc/PID/smaps_rollup), "bench: end", and powers the machine off. It runs in the VM beside
// systemd.
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <unistd.h>

static long pss_of(const char* pid) {
    char path[64];
    char line[256];
    long kilobytes = -1;
    snprintf(path, sizeof path, "/proc/%s/smaps_rollup", pid);
    FILE* file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "Pss:", 4) == 0) {
            kilobytes = strtol(line + 4, NULL, 10);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return kilobytes;
}

static void name_of(const char* pid, char* name, int size) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%s/comm", pid);
    FILE* file = fopen(path, "r");
    if (file == NULL || fgets(name, size, file) == NULL) {
        strcpy(name, "?");
    }
    name[strcspn(name, "\n")] = '\0';
    if (file != NULL) {
        fclose(file);
    }
}

int main(int count, char** values) {
    sleep(count > 1 ? (unsigned)atoi(values[1]) : 0);
    FILE* console = fopen("/dev/ttyS0", "w");
    DIR* processes = opendir("/proc");
    if (console == NULL || processes == NULL) {
        return 1;
    }
    for (const struct dirent* entry = readdir(processes); entry != NULL; entry = readdir(processes)) {
        char name[64];
        if (!isdigit((unsigned char)entry->d_name[0]) || atoi(entry->d_name) == getpid()) {
            continue;
        }
        const long kilobytes = pss_of(entry->d_name);
        if (kilobytes > 0) {
            name_of(entry->d_name, name, sizeof name);
            fprintf(console, "bench: %s %ld\n", name, kilobytes);
        }
    }
    fprintf(console, "bench: end\n");
    fclose(console);
    sync();
    sleep(2);
    return reboot(RB_POWER_OFF);
}
