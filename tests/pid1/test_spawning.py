"""Cases 5 to 9: how services are started, and what they get with them."""

from __future__ import annotations

import errno
import re
import signal

from pid1.cases import case, unit
from pid1.machine import Boot, Machine

BROKEN = {
    "no-user": (unit("sleep-forever", "user = nobody-here"), r"user 'nobody-here'"),
    "no-program": ("[service]\ncommand = /usr/bin/not-there\n", r"execute.*No such file or directory"),
    "no-directory": (
        unit("sleep-forever", "working-directory = /not/there"),
        r"working directory.*No such file or directory",
    ),
    "no-right": ("[service]\ncommand = /etc/passwd\n", r"execute.*Permission denied"),
}
BLOCKED = ("SigBlk", "SigIgn")


@case(
    5,
    "failed-start-names-step-and-reason",
    units={name: text + "restart = never\n" for name, (text, _) in BROKEN.items()},
)
def test_failed_start(machine: Machine) -> None:
    """What goes wrong between clone and exec ends the child, and the status names step and errno's text."""
    for name, (_, pattern) in BROKEN.items():
        machine.start(name)
        unit = machine.wait(name, "failed")
        assert re.search(pattern, unit.reason), f"{name}: {unit.reason}"
        assert unit.pid == -1
    done = machine.thole("status", "no-program")
    assert done.code != 0
    assert "No such file or directory" in done.stdout
    assert not [words for words in machine.processes().values() if words[:1] == ["/sbin/init"] and len(words) == 1][1:]



@case(
    5,
    "start-that-hangs-holds-up-nobody-else",
    needs=("cgroup2",),
    units={"stuck": unit("sleep-forever", "readiness-timeout = 90s"), "other": unit("sleep-forever")},
)
def test_hanging_start(machine: Machine) -> None:
    """A process that does not get as far as its exec (frozen, as on a file system that hangs) holds up its unit alone."""
    machine.stop("stuck")
    cgroup = "/sys/fs/cgroup/services/stuck"
    machine.act("make-directory", cgroup)
    machine.write(f"{cgroup}/cgroup.freeze", "1")
    machine.start("stuck")
    pid = machine.wait("stuck", "starting").pid
    machine.start("other")
    machine.wait("other", "ready")
    assert machine.unit("stuck").state == "starting"
    assert machine.processes()[pid][0] != "/usr/bin/actor"
    machine.write(f"{cgroup}/cgroup.freeze", "0")
    assert machine.wait("stuck", "ready").pid == pid
    machine.stop("stuck")
    machine.stop("other")


@case(6, "clone3-refused-with-enosys", needs=("launcher",), boot=Boot(clone3=errno.ENOSYS), units={"one": unit("sleep-forever")})
def test_clone3_enosys(machine: Machine) -> None:
    """A kernel or a filter that knows no clone3: services start in another way, in their own cgroups."""
    started_in_own_cgroup(machine, "one")


@case(6, "clone3-refused-with-eperm", needs=("launcher",), boot=Boot(clone3=errno.EPERM), units={"one": unit("sleep-forever")})
def test_clone3_eperm(machine: Machine) -> None:
    """A seccomp filter of before clone3 answers EPERM: the same."""
    started_in_own_cgroup(machine, "one")


@case(
    6,
    "no-room-for-a-process-is-tried-again",
    needs=("pids",),
    own=True,
    units={"later": unit("sleep-forever", "restart-delay = 100ms", "restart-delay-max = 300ms")},
)
def test_pids_pressure(machine: Machine) -> None:
    """While the services' cgroup has no room for a process a start fails and is tried again; with room it works."""
    machine.stop("later")
    limit = "/sys/fs/cgroup/services/pids.max"
    machine.write(limit, "1")
    machine.start("later")
    unit = machine.wait_unit("later", "tried again twice", lambda unit: unit.restarts >= 2)
    assert "Resource temporarily unavailable" in machine.console()
    machine.write(limit, "max")
    unit = machine.wait("later", "ready")
    assert machine.read(f"/proc/{unit.pid}/cgroup").strip().endswith("/services/later")


@case(
    7,
    "no-signal-to-a-reused-pid",
    units={"gone": unit("sleep-forever", "restart = never")},
)
def test_reused_pid(machine: Machine) -> None:
    """The pid of a service that has ended is given to a stranger: stop and restart leave the stranger alone."""
    machine.start("gone")
    pid = machine.wait("gone", "ready").pid
    machine.signal(pid, signal.SIGKILL)
    machine.wait("gone", "failed")
    stranger = machine.begin("with-pid", str(pid), "/usr/bin/actor", "sleep-forever")
    stranger.wait_output("there")
    machine.stop("gone")
    machine.ask("restart", "gone")
    assert machine.wait("gone", "ready").pid != pid
    machine.stop("gone")
    assert stranger.status is None, "the stranger was signalled"
    assert machine.processes()[pid] == ["/usr/bin/actor", "sleep-forever"]
    machine.signal(pid, signal.SIGKILL)
    stranger.wait(10)


FORKING = ("type = forking", "restart = never")


@case(
    8,
    "daemon-that-forks-twice",
    units={"daemon": unit("daemon /run/daemon.pid", *FORKING, "pid-file = /run/daemon.pid")},
)
def test_forks_twice(machine: Machine) -> None:
    """Its main process is the one that the pid file names; its end is seen, and stop ends it."""
    machine.start("daemon")
    unit = machine.wait("daemon", "ready")
    assert unit.pid == int(machine.read("/run/daemon.pid"))
    assert machine.read(f"/proc/{unit.pid}/stat").split()[3] == "1", "the daemon is PID 1's child"
    machine.act("remove", "/run/daemon.pid")
    machine.stop("daemon")
    assert unit.pid not in machine.processes()
    machine.start("daemon")
    unit = machine.wait("daemon", "ready")
    machine.signal(unit.pid, signal.SIGKILL)
    unit = machine.wait("daemon", "failed")
    assert "killed by signal 9" in (unit.exit or unit.reason)


@case(
    8,
    "daemon-with-a-stale-pid-file",
    units={"stale": unit("daemon /run/stale.pid stale", *FORKING, "pid-file = /run/stale.pid", "readiness-timeout = 2s")},
)
def test_stale_pid_file(machine: Machine) -> None:
    """A pid file of an earlier life, or one that names nobody: no stranger is taken for the main process."""
    stranger = machine.begin("sleep-forever")
    pid = next(pid for pid, words in machine.processes().items() if words == ["/usr/bin/actor", "sleep-forever"])
    machine.write("/run/stale.pid", f"{pid}\n")
    machine.start("stale")
    unit = machine.wait("stale", "ready", "failed")
    assert unit.pid != pid
    machine.stop("stale")
    assert stranger.status is None, "the stranger of the stale pid file was signalled"
    stranger.kill()
    assert not [words for words in machine.processes().values() if words[1:2] == ["daemon"]], "the daemon is left over"


@case(9, "children-inherit-nothing", boot=Boot(dirty=True), needs=("launcher",), units={"heir": unit("sleep-forever")})
def test_inherit_nothing_of_a_dirty_start(machine: Machine) -> None:
    """PID 1 was started with blocked and ignored signals, descriptors and an OOM score: no service has any of it."""
    inherits_nothing(machine)


@case(9, "children-of-a-kernels-pid-1-inherit-nothing", units={"heir": unit("sleep-forever")})
def test_inherit_nothing(machine: Machine) -> None:
    """The same of PID 1's own masks and descriptors."""
    inherits_nothing(machine)


def inherits_nothing(machine: Machine) -> None:
    """Masks are empty, the only descriptors are the standard ones, and the OOM score is 0."""
    machine.start("heir")
    pid = machine.wait("heir", "ready").pid
    machine.until("the actor runs", lambda: machine.processes().get(pid) == ["/usr/bin/actor", "sleep-forever"])
    status = dict(line.split(":\t", 1) for line in machine.read(f"/proc/{pid}/status").splitlines() if ":\t" in line)
    # The actor itself ignores and blocks nothing.
    assert {name: int(status[name], 16) for name in BLOCKED} == dict.fromkeys(BLOCKED, 0)
    names = {line.split(" -> ")[0]: line.split(" -> ")[1] for line in machine.names(f"/proc/{pid}/fd")}
    assert sorted(names) == ["0", "1", "2"], names
    assert names["0"] == "/dev/null"

    assert machine.read(f"/proc/{pid}/oom_score_adj").strip() == "0"


def started_in_own_cgroup(machine: Machine, name: str) -> None:
    """The unit runs, in its cgroup where there are any; and can be stopped."""
    unit = machine.wait(name, "ready")
    text = machine.read(f"/proc/{unit.pid}/cgroup").splitlines()
    if machine.exists("/sys/fs/cgroup/cgroup.procs"):
        assert f"0::/services/{name}" in text
    machine.stop(name)
    assert unit.pid not in machine.processes()
