"""Cases 21 to 26: floods, full disks, memory and processes without end."""

from __future__ import annotations

import re
import signal
import time

from pid1.cases import case, unit
from pid1.machine import Machine

FLOOD = 300
CLOCK_TICKS = 100
KINDS = ("idle", "half", "garbage", "deaf", "gone")


def cpu_seconds(machine: Machine) -> float:
    """What PID 1 has used of the processor, from /proc/1/stat (proc_pid_stat(5): utime and stime)."""
    words = machine.read("/proc/1/stat").rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / CLOCK_TICKS


@case(21, "control-flood-without-descriptors", units={"calm": unit("exit 0", "type = oneshot", "remain = no")})
def test_flood(machine: Machine) -> None:
    """PID 1 has no descriptor left while 300 clients knock: no busy loop, and afterwards it answers and starts again."""
    machine.start("calm")
    open_now = len(machine.names("/proc/1/fd"))
    before = machine.act("limit-files", "1", str(open_now + 6)).strip()
    used = cpu_seconds(machine)
    begun = time.monotonic()
    flood = machine.begin("clients", "idle", str(FLOOD))
    machine.until("the flood has come in", lambda: len(machine.names("/proc/1/fd")) >= open_now + 3, 20)
    # Its connections are dropped after their time, so that its last ones get in: seconds in which PID 1 has nothing to do.
    machine.until("some have been dropped", lambda: time.monotonic() - begun > 7, 10)
    burnt = (cpu_seconds(machine) - used) / (time.monotonic() - begun)
    print(f"PID 1 used {burnt:.1%} of a processor under the flood")
    assert burnt < 0.5, f"PID 1 spins: {burnt:.0%} of a processor"
    flood.kill()
    machine.act("limit-files", "1", before)
    assert machine.ask("status", timeout=60).code == 0
    machine.start("calm")
    assert machine.thole("status").code == 0


@case(22, "bad-control-clients", units={"calm": unit("sleep-forever")})
def test_bad_clients(machine: Machine) -> None:
    """Clients that are slow, silent, deaf, talk nonsense or go away: everybody else is answered."""
    clients = [machine.begin("clients", kind, "5") for kind in KINDS] + [machine.begin("clients", "listener", "3")]
    for one in clients:
        one.wait_output("connected", 60)
    machine.start("calm")
    machine.wait("calm", "ready")
    for _ in range(20):
        machine.ask("restart", "calm")
        assert machine.ask("status").code == 0
    for request in ("", "status extra words", "stop", "stop nobody", "\x01\x02", "x" * 900, "start", "reload nobody"):
        done = machine.ask(request)
        assert done.code in (1, 2), f"{request!r}: {done}"
    machine.wait("calm", "ready")
    for one in clients:
        one.kill()
    assert machine.thole("status").code == 0


@case(
    23,
    "full-log-disk",
    own=True,
    units={
        "talker": unit("write-log -1 talk", "restart = never", unit="enabled = no", log="size = 16K\ncount = 2"),
        "quiet": unit("sleep-forever"),
        "brief": unit("exit 0 brief-words", "type = oneshot", "remain = no", "restart = never", unit="enabled = no"),
    },
)
def test_full_log_disk(machine: Machine) -> None:
    """No room for logs: services go on, what is lost is counted and said, and rotation loses no good log."""
    # Nobody has said a word yet, so every file will be opened on the small disk.
    machine.until("the folder of logs", lambda: machine.exists("/var/log/thole"))
    machine.act("mount", "tmpfs", "/var/log/thole", "size=64k,mode=0755")
    machine.act("fill", "/var/log/thole/fat")
    machine.start("talker")
    unit = machine.wait("talker", "ready")
    used = progress(machine, unit.pid)
    machine.until("the talker goes on", lambda: progress(machine, unit.pid) > used + 2_000_000, 60)
    machine.start("brief")
    machine.wait("brief", "stopped", "done")
    assert machine.unit("quiet").state == "ready"
    machine.act("remove", "/var/log/thole/fat")
    said: list[int] = []

    def loss_is_said() -> bool:
        said.append(lost_lines(machine, "talker"))
        return said[-1] > 0

    machine.until("the loss is said", loss_is_said, 60)
    print(f"{said[-1]} lines were lost, and said to be")
    machine.stop("talker")
    machine.start("brief")
    machine.wait_log("brief", "brief-words")


def progress(machine: Machine, pid: int) -> int:
    """Bytes that a process has written so far."""
    found = re.search(r"^wchar: (\d+)", machine.read(f"/proc/{pid}/io"), re.MULTILINE)
    assert found
    return int(found[1])


def lost_lines(machine: Machine, name: str) -> int:
    """The figure in the newest note about lost lines, in any of a service's files."""
    texts = [machine.log(name)]
    for number in (1, 2):
        try:
            texts.append(machine.read(f"/var/log/thole/{name}.log.{number}"))
        except OSError:
            continue
    figures = [int(number) for text in texts for number in re.findall(r"(\d+) lines? .*lost", text)]
    return max(figures, default=0)


@case(
    24,
    "flood-of-logs-beside-quiet-ones",
    units={
        "shouter": unit("write-log -1 shout", "restart = never", log="size = 256K\ncount = 2"),
        "whisper": unit("say heard-beside-the-flood"),
    },
)
def test_log_flood(machine: Machine) -> None:
    """One service writes as fast as it can: another's words are kept, and PID 1 answers as before."""
    machine.start("shouter")
    unit = machine.wait("shouter", "ready")
    begun, first = time.monotonic(), progress(machine, unit.pid)
    machine.start("whisper")
    machine.wait_log("whisper", "heard-beside-the-flood", 60)
    slowest = 0.0
    for _ in range(20):
        asked = time.monotonic()
        assert machine.ask("status").code == 0
        slowest = max(slowest, time.monotonic() - asked)
    machine.until("it has written 5 MB", lambda: progress(machine, unit.pid) - first > 5_000_000, 120)
    rate = (progress(machine, unit.pid) - first) / (time.monotonic() - begun) / 1e6
    print(f"{rate:.0f} MB/s of logs; PID 1 answered within {slowest * 1000:.0f} ms")
    machine.stop("shouter")
    sizes = [len(machine.log("shouter"))]
    assert sizes[0] < 1 << 20, "the log grew past its size"


@case(
    25,
    "out-of-memory-is-named",
    needs=("memory",),
    units={"glutton": unit("allocate 200", "restart = never", cgroup="memory.max = 32M"), "modest": unit("sleep-forever")},
)
def test_out_of_memory(machine: Machine) -> None:
    """The OOM killer ends a service within its cgroup: the status says so, and nobody else notices."""
    machine.excused = ["Out of memory: Killed process", "Memory cgroup out of memory", "oom-kill", "Call Trace"]
    machine.start("modest")
    modest = machine.wait("modest", "ready")
    machine.start("glutton")
    unit = machine.wait("glutton", "failed", timeout=60)
    assert unit.oom == 1 or "out of memory" in unit.reason
    assert "memory" in (unit.reason + unit.exit), unit
    assert machine.unit("modest").pid == modest.pid


@case(
    26,
    "fork-bomb-is-held-and-ended",
    needs=("pids",),
    units={"bomb": unit("fork-bomb", "restart = never", "stop-timeout = 2s", cgroup="pids.max = 60")},
)
def test_fork_bomb(machine: Machine) -> None:
    """pids.max holds it, PID 1 answers beside it, and stop ends all of it."""
    machine.start("bomb")
    machine.wait_log("bomb", "held", 60)
    assert int(machine.read("/sys/fs/cgroup/services/bomb/pids.current")) <= 60
    assert machine.thole("status").code in (0, 1)
    machine.stop("bomb", timeout=60)
    assert not [words for words in machine.processes().values() if words[1:2] == ["fork-bomb"]]


@case(26, "children-beyond-counting-are-ended", units={"crowd": unit("spawn-children 300 ignore", "stop-timeout = 2s")})
def test_many_children(machine: Machine) -> None:
    """Without a pids controller, too, stop ends 300 children that ignore SIGTERM."""
    machine.start("crowd")
    machine.wait_log("crowd", "children are there", 60)
    machine.stop("crowd", timeout=60)
    machine.until(
        "all have ended", lambda: not [words for words in machine.processes().values() if words[1:2] == ["spawn-children"]]
    )
    assert machine.unit("crowd").pid == -1
    machine.signal(1, signal.SIGCHLD)  # one too many is no harm
