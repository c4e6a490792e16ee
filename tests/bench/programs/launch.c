// launch ROOT CGROUP PROGRAM [ARGUMENT...]: runs PROGRAM as PID 1 of fresh pid, mount, ipc, uts, net and cgroup
// namespaces, with ROOT (a mount point) as its /, in the cgroup CGROUP (a directory of cgroup2). It gets what a
// container gets: proc with /proc/sys read-only, sysfs read-only, cgroup2, a small /dev, tmpfs at /run and /tmp, and
// ROOT/bench/console as /dev/console. Prints the host's pid of that process. Slot 0 of ROOT/bench/times becomes the
// time just before execve(). Ends when PID 1 ends.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void check(int good, const char* what) {
    if (!good) {
        fprintf(stderr, "launch: %s: %s\n", what, strerror(errno));
        _exit(120);
    }
}

static void join_cgroup(const char* cgroup) {
    char path[512];
    snprintf(path, sizeof path, "%s/cgroup.procs", cgroup);
    const int file = open(path, O_WRONLY | O_CLOEXEC);
    check(file >= 0 && write(file, "0", 1) == 1, path);
    close(file);
}

static void mount_at(const char* type, const char* target, unsigned long flags, const char* options) {
    mkdir(target, 0755);
    check(mount(type, target, type, flags, options) == 0, target);
}

static void device(const char* path, unsigned major_number, unsigned minor_number) {
    check(mknod(path, S_IFCHR | 0666, makedev(major_number, minor_number)) == 0, path);
    chmod(path, 0666);
}

static void make_dev(void) {
    mount_at("tmpfs", "dev", MS_NOSUID, "mode=0755");
    device("dev/null", 1, 3);
    device("dev/zero", 1, 5);
    device("dev/full", 1, 7);
    device("dev/random", 1, 8);
    device("dev/urandom", 1, 9);
    device("dev/tty", 5, 0);
    check(symlink("/proc/self/fd", "dev/fd") == 0, "dev/fd");
    mount_at("tmpfs", "dev/shm", MS_NOSUID | MS_NODEV, "mode=1777");
    mount_at("devpts", "dev/pts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620");
    check(symlink("pts/ptmx", "dev/ptmx") == 0, "dev/ptmx");
    const int console = open("dev/console", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    check(console >= 0, "dev/console");
    close(console);
    check(mount("bench/console", "dev/console", NULL, MS_BIND, NULL) == 0, "dev/console");
}

static void make_read_only(const char* path) {
    check(mount(path, path, NULL, MS_BIND, NULL) == 0, path);
    check(mount(NULL, path, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0,
          path);
}

static void make_tree(const char* root) {
    const unsigned long plain = MS_NOSUID | MS_NODEV | MS_NOEXEC;
    check(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0, "make mounts private");
    check(chdir(root) == 0, root);
    mount_at("proc", "proc", plain, NULL);
    make_read_only("proc/sys");
    check(mount("/dev/null", "proc/sysrq-trigger", NULL, MS_BIND, NULL) == 0 || errno == ENOENT, "proc/sysrq-trigger");
    mount_at("sysfs", "sys", plain | MS_RDONLY, NULL);
    mount_at("cgroup2", "sys/fs/cgroup", plain, "nsdelegate");
    make_dev();
    mount_at("tmpfs", "run", MS_NOSUID | MS_NODEV, "mode=0755");
    mount_at("tmpfs", "tmp", MS_NOSUID | MS_NODEV, "mode=1777");
    check(syscall(SYS_pivot_root, ".", ".") == 0, "pivot_root");
    check(umount2(".", MNT_DETACH) == 0, "leave the old root");
    check(chdir("/") == 0, "/");
}

// An interface with an address, as a container has one.
static void make_network(void) {
    struct ifreq request = {.ifr_name = "eth0"};
    const int tap = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    const int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    request.ifr_flags = IFF_TAP | IFF_NO_PI;
    check(tap >= 0 && ioctl(tap, TUNSETIFF, &request) == 0 && ioctl(tap, TUNSETPERSIST, 1) == 0, "/dev/net/tun");
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xC0000202U)};  // 192.0.2.2
    memcpy(&request.ifr_addr, &address, sizeof address);
    check(ioctl(control, SIOCSIFADDR, &request) == 0, "set the address of eth0");
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    check(ioctl(control, SIOCSIFFLAGS, &request) == 0, "set eth0 up");
    close(tap);
    close(control);
}

static void child(const char* root, const char* cgroup, char** command, char** environment, int traced) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    join_cgroup(cgroup);
    check(unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET | CLONE_NEWCGROUP) == 0, "unshare");
    make_network();
    make_tree(root);
    check(sethostname("bench", 5) == 0, "sethostname");
    const int input = open("/dev/null", O_RDONLY);
    const int console = open("/dev/console", O_WRONLY | O_APPEND);
    const int times = open("/bench/times", O_WRONLY | O_CLOEXEC);
    check(input >= 0 && console >= 0 && times >= 0, "open /bench/times, /dev/null, /dev/console");
    setsid();
    umask(022);
    dup2(input, 0);
    dup2(console, 1);
    dup2(console, 2);
    syscall(SYS_close_range, 3U, ~0U, 4U);  // CLOSE_RANGE_CLOEXEC
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    const uint64_t nanoseconds = (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
    check(pwrite(times, &nanoseconds, sizeof nanoseconds, 0) == sizeof nanoseconds, "/bench/times");
    check(!traced || ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0, "ptrace");
    execve(command[0], command, environment);
    check(0, command[0]);
}

static int all_started(int times, int services) {
    for (int at = services; at > 0; --at) {
        uint64_t value = 0;
        if (pread(times, &value, sizeof value, 8 * at) != sizeof value || value == 0) {
            return 0;
        }
    }
    return 1;
}

static void on_alarm(int number) { (void)number; }

// PID 1 may sleep for ever once all is started: the timer ends the wait for its next step.
static void watch_the_time(void) {
    const struct sigaction action = {.sa_handler = on_alarm};
    const struct itimerval often = {{0, 50000}, {0, 50000}};
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
}

static int count_steps(pid_t pid, const char* root, int services, unsigned long most) {
    char path[512];
    snprintf(path, sizeof path, "%s/bench/times", root);
    const int times = open(path, O_RDONLY | O_CLOEXEC);
    unsigned long steps = 0;
    int status = 0;
    check(times >= 0 && waitpid(pid, &status, 0) == pid && WIFSTOPPED(status), "wait for execve");
    watch_the_time();
    for (long hand_on = 0; steps < most;) {
        check(ptrace(PTRACE_SINGLESTEP, pid, NULL, hand_on) == 0, "step");
        pid_t stopped = -1;
        while ((stopped = waitpid(pid, &status, 0)) < 0 && errno == EINTR && !all_started(times, services)) {
        }
        if (stopped != pid || !WIFSTOPPED(status)) {
            break;
        }
        hand_on = WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
        steps += hand_on == 0;
        if (steps % 4096 == 0 && all_started(times, services)) {
            break;
        }
    }
    const int done = all_started(times, services);
    kill(pid, SIGKILL);
    printf(done ? "%lu\n" : "more\n", steps);
    return 0;
}

int main(int count, char** values) {
    static char* environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "TERM=dumb", "container=bench",
                                  NULL};
    const int stepped = count > 6 && strcmp(values[1], "--steps") == 0;
    const int first = stepped ? 4 : 1;
    if (count < first + 3) {
        return 121;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    check(unshare(CLONE_NEWPID) == 0, "unshare");
    const pid_t pid = fork();
    check(pid >= 0, "fork");
    if (pid == 0) {
        child(values[first], values[first + 1], values + first + 2, environment, stepped);
    }
    printf("%d\n", pid);
    fflush(stdout);
    if (stepped) {
        return count_steps(pid, values[first], atoi(values[2]), strtoul(values[3], NULL, 10));
    }
    int status = 0;
    check(waitpid(pid, &status, 0) == pid, "waitpid");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
