"""Cases 27 to 31: consoles, clocks, strangers, poor surroundings, and an error in PID 1 itself."""

from __future__ import annotations

import re
import signal
import time

import pytest
from pid1.cases import case, unit
from pid1.machine import Boot, Machine
from pid1.namespace_machine import NamespaceMachine

CHATTY = {
    f"chatty{at}": unit("exit 1", "restart = always", "restart-delay = 10ms", "restart-delay-max = 20ms")
    for at in range(5)
}
YEAR = 365 * 24 * 3600


@case(27, "console-that-nobody-reads", needs=("launcher",), boot=Boot(console="stuck"), units=CHATTY)
def test_stuck_console(machine: Machine) -> None:
    """A console whose buffer is full: PID 1 goes on, drops lines, and counts them."""
    assert isinstance(machine, NamespaceMachine)
    machine.until(
        "hundreds of lines would have gone out", lambda: sum(unit.restarts for unit in machine.units().values()) > 400, 60
    )
    machine.check()
    assert int(machine.info()["console-lost"]) > 0
    assert machine.unread_console(), "nothing was written at all"


@case(27, "console-that-is-not-there", own=True, needs=("launcher",), boot=Boot(console="absent"), units=CHATTY)
def test_absent_console(machine: Machine) -> None:
    """No /dev/console: PID 1 boots and supervises as ever."""
    machine.until("restarts go on", lambda: sum(unit.restarts for unit in machine.units().values()) > 50, 30)
    assert machine.power_off() == 0


@case(27, "slow-serial-console", needs=("hardware",), units=CHATTY)
def test_slow_console(machine: Machine) -> None:
    """A serial port is slow: PID 1 answers at once while services fail at it."""
    machine.start(*CHATTY)
    machine.until("restarts go on", lambda: sum(unit.restarts for unit in machine.units().values()) > 30, 60)
    slowest = 0.0
    for _ in range(20):
        begun = time.monotonic()
        assert machine.ask("status").code == 0
        slowest = max(slowest, time.monotonic() - begun)
    print(f"PID 1 answered within {slowest * 1000:.0f} ms")


@case(
    28,
    "clock-jumps-by-years",
    needs=("clock",),
    units={
        "delayed": unit("exit 1", "restart = always", "restart-delay = 1s", "restart-delay-max = 1s", "start-limit-count = 0"),
        "steady": unit("sleep-forever"),
        "waiting": unit("sleep-forever", "readiness = notify", "readiness-timeout = 60s", "restart = never"),
    },
)
def test_clock_jumps(machine: Machine) -> None:
    """Ten years on and thirty back: no deadline fires early, none is lost, and nothing restarts."""
    machine.start("steady", "delayed", "waiting")
    steady = machine.wait("steady", "ready")
    jumps = (10 * YEAR, -30 * YEAR, 20 * YEAR)
    for jump in jumps:
        restarts = machine.unit("delayed").restarts
        begun = time.monotonic()
        machine.act("clock", str(jump))
        machine.wait_unit("delayed", "restarted", lambda unit, before=restarts: unit.restarts >= before + 2, 30)
        assert time.monotonic() - begun > 0.9, "the delay of a second was cut short"
        assert machine.unit("waiting").state == "starting", "the readiness timeout fired by the wall clock"
        now = machine.unit("steady")
        assert (now.pid, now.since) == (steady.pid, steady.since)
        assert machine.thole("status").code == 0


@case(
    29,
    "notify-datagrams-of-strangers",
    units={
        "victim": unit("sleep-forever", "readiness = notify", "readiness-timeout = 120s", "restart = never"),
        "speaker": unit("notify - sleep STATUS=mine READY=1", "readiness = notify", "restart = never"),
    },
)
def test_notify_strangers(machine: Machine) -> None:
    """Strangers' words, empty, huge and endless ones change nothing; the service's own are taken as before."""
    machine.start("victim")
    machine.wait("victim", "starting")
    victim = machine.unit("victim").pid
    environment = machine.read(f"/proc/{victim}/environ").split("\0")
    socket = next(entry.partition("=")[2] for entry in environment if entry.startswith("NOTIFY_SOCKET="))
    machine.run("/usr/bin/actor", "notify-odd", socket)
    stranger = machine.begin("notify", socket, "sleep", f"READY=1\\nSTATUS=forged\\nMAINPID={victim + 1}")
    stranger.wait_output("sent", 30)
    flood = machine.begin("notify-flood", socket, "10000", "STATUS=flood\nREADY=1")
    assert flood.wait(120).code == 0
    machine.start("speaker")
    assert machine.wait("speaker", "ready").status == "mine"
    unit = machine.unit("victim")
    assert unit.state == "starting", f"a stranger made it {unit.state}"
    assert unit.pid == victim
    assert "forged" not in unit.status + unit.reason
    stranger.kill()


@case(29, "odd-datagrams-of-its-own", units={"odd": unit("notify-odd -", "readiness = notify", "restart = never")})
def test_notify_odd(machine: Machine) -> None:
    """A service's own senseless datagrams: PID 1 takes what has sense and goes on."""
    machine.start("odd")
    machine.wait("odd", "failed", "stopped", "ready", "done")
    assert machine.ask("status").code == 0
    assert machine.zombies() == []


@case(
    30,
    "container-without-cgroup2",
    needs=("launcher",),
    boot=Boot(cgroup2=False),
    units={
        "plain": unit("sleep-forever"),
        "speaker": unit("notify - sleep STATUS=mine READY=1", "readiness = notify", "readiness-timeout = 20s"),
    },
)
def test_no_cgroup2(machine: Machine) -> None:
    """No cgroup2: said on the console, and services run, restart and stop without."""
    pid = machine.wait("plain", "ready").pid
    assert re.search(r"cgroup", machine.console()), "the console does not say that there are no cgroups"
    assert machine.info()["cgroup2"] == "0"
    assert machine.wait("speaker", "ready").status == "mine"
    machine.signal(pid, signal.SIGKILL)
    machine.wait_unit("plain", "restarted", lambda unit: unit.state == "ready" and unit.pid != pid)
    machine.stop("plain")


@case(
    30,
    "container-with-mounts-already-there",
    needs=("launcher", "cgroup2"),
    boot=Boot(mounted=True),
    units={"plain": unit("sleep-forever")},
)
def test_mounted(machine: Machine) -> None:
    """/proc, /sys, /run, /tmp and cgroup2 are there already: they are used as they are."""
    machine.wait("plain", "ready")
    points = [line.split()[4] for line in machine.read("/proc/1/mountinfo").splitlines()]
    for point in ("/proc", "/sys", "/run", "/tmp", "/sys/fs/cgroup"):
        assert points.count(point) == 1, f"{point} is mounted {points.count(point)} times"


@case(
    30, "container-with-dev-kmsg-masked", own=True, needs=("launcher",), boot=Boot(kmsg_masked=True), units={"plain": unit("sleep-forever")}
)
def test_masked_kmsg(machine: Machine) -> None:
    """A runtime that mounts /dev/null over /dev/kmsg: no kernel log, but a running machine."""
    machine.wait("plain", "ready")
    assert machine.power_off() == 0


@case(30, "no-right-to-the-kernel-log", needs=("launcher",), units={"plain": unit("sleep-forever")})
def test_no_kmsg(machine: Machine) -> None:
    """No /dev/kmsg: said on the console, and a quiet pipe stands in for it."""
    machine.wait("plain", "ready")
    assert "kmsg" in machine.console()
    assert machine.info()["kmsg"] == "fifo"


@case(30, "read-only-root", needs=("hardware",), units={"plain": unit("sleep-forever")})
def test_read_only_root(machine: Machine) -> None:
    """The root cannot be written: what PID 1 has to write lies in memory."""
    machine.start("plain")
    machine.wait("plain", "ready")
    with pytest.raises(OSError, match="Read-only"):
        machine.write("/usr/lib/thole/units/no.unit", "")
    assert machine.read("/etc/machine-id").strip()
    machine.write("/etc/written", "in memory\n")
    assert machine.read("/etc/written") == "in memory\n"


@case(31, "pid-1-breaks-and-keeps-reaping", own=True, units={"bystander": unit("sleep-forever")})
def test_pid1_breaks(machine: Machine) -> None:
    """SIGSEGV in PID 1: the console says what broke, the machine lives, orphans are reaped, and the socket answers."""
    pid = machine.wait("bystander", "ready").pid
    machine.signal_pid1(signal.SIGSEGV)
    machine.wait_console(r"PID 1 .*SIGSEGV", 30)
    machine.act("orphans", "500")
    machine.until_reaped(60)
    assert machine.processes()[pid] == ["/usr/bin/actor", "sleep-forever"]
    done = machine.thole("status", timeout=30)
    assert done.stdout.strip() or done.stderr.strip(), "status says nothing at all"
    assert done.code in (0, 1)
    print(f"thole status: {done.stdout.strip()[:200]} {done.stderr.strip()[:200]}")
    assert "Connection refused" not in done.stderr, "the control socket is dead"
    # A container's exit code says that something went wrong.
    assert machine.power_off(60) == (1 if machine.kind == "namespace" else 0)
    assert "Kernel panic" not in machine.console()


@case(31, "pid-1-aborts", own=True, units={"bystander": unit("sleep-forever")})
def test_pid1_aborts(machine: Machine) -> None:
    """An assertion in a library ends in SIGABRT: no panic, and ctrl-alt-del still works."""
    machine.wait("bystander", "ready")
    machine.signal_pid1(signal.SIGABRT)
    machine.wait_console(r"PID 1 .*SIGABRT", 30)
    machine.act("orphans", "100")
    machine.until_reaped(60)
    machine.signal_pid1(signal.SIGINT)
    assert machine.wait_end(60) == (1 if machine.kind == "namespace" else 0)
