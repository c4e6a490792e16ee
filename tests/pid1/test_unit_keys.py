"""What keys of units do to real processes."""

from __future__ import annotations

import re

from pid1.cases import case, unit
from pid1.machine import Machine

NET_BIND_SERVICE = 1 << 10


def field(machine: Machine, pid: int, name: str) -> str:
    """A line of /proc/PID/status."""
    found = re.search(rf"^{name}:\s*(.*)$", machine.read(f"/proc/{pid}/status"), re.MULTILINE)
    assert found, f"no {name} in the status of {pid}"
    return found[1]


@case(
    0,
    "process-settings",
    only="vm",
    units={
        "settled": unit(
            "sleep-forever",
            "user = player\ngroups = root\numask = 027\nnice = 5\noom-score-adjust = 100\nlimits = nofile=100:200 core=0",
            "capabilities = net_bind_service net_admin\nambient-capabilities = net_bind_service\nno-new-privileges = yes",
            "working-directory = /run\nenvironment = WORD='two words'",
        )
    },
)
def test_process_settings(machine: Machine) -> None:
    """User, groups, umask, limits, capabilities and the rest are what the unit says."""
    pid = machine.wait("settled", "ready").pid
    assert field(machine, pid, "Uid").split() == ["1000"] * 4
    assert field(machine, pid, "Gid").split() == ["1000"] * 4
    assert field(machine, pid, "Groups").split() == ["0"]
    assert field(machine, pid, "Umask") == "0027"
    assert int(field(machine, pid, "CapBnd"), 16) == NET_BIND_SERVICE | 1 << 12
    for name in ("CapEff", "CapPrm", "CapAmb"):
        assert int(field(machine, pid, name), 16) == NET_BIND_SERVICE, name
    assert field(machine, pid, "NoNewPrivs") == "1"
    assert machine.read(f"/proc/{pid}/oom_score_adj").strip() == "100"
    limits = machine.read(f"/proc/{pid}/limits")
    assert re.search(r"Max open files\s+100\s+200 ", limits), limits
    assert re.search(r"Max core file size\s+0\s+0 ", limits), limits
    assert machine.read(f"/proc/{pid}/stat").rpartition(")")[2].split()[16] == "5"
    assert "WORD=two words" in machine.read(f"/proc/{pid}/environ").split("\0")


@case(
    0,
    "own-view-of-the-file-system",
    only="vm",
    units={"confined": unit("sleep-forever", "private-tmp = yes\nread-only-paths = /var/lib /run")},
)
def test_file_system_view(machine: Machine) -> None:
    """A private /tmp and read-only paths are the service's alone."""
    pid = machine.wait("confined", "ready").pid
    mounts = {line.split()[4]: line.split()[5] for line in machine.read(f"/proc/{pid}/mountinfo").splitlines()}
    assert "ro" in mounts["/var/lib"].split(",")
    assert "ro" in mounts["/run"].split(",")
    own = [line for line in machine.read(f"/proc/{pid}/mountinfo").splitlines() if line.split()[4] == "/tmp"]
    everybodys = [line for line in machine.read("/proc/1/mountinfo").splitlines() if line.split()[4] == "/tmp"]
    assert len(own) == len(everybodys) + 1
    machine.write("/run/still-writable", "yes")


@case(
    0,
    "commands-before-and-after",
    units={
        "wrapped": unit(
            "sleep-forever",
            "pre-start = /usr/bin/actor exit 0 first\npre-start = /usr/bin/actor exit 0 second",
            "post-stop = /usr/bin/actor exit 0 afterwards",
        ),
        "refused": unit("sleep-forever", "pre-start = /usr/bin/actor exit 3\nrestart = never"),
    },
)
def test_helpers(machine: Machine) -> None:
    """Pre-start commands run before, post-stop commands after; a pre-start command that fails ends the start."""
    machine.wait("wrapped", "ready")
    machine.stop("wrapped")
    machine.wait_log("wrapped", "afterwards")
    words = re.findall(r"\b(first|second|afterwards)\b", machine.log("wrapped"))
    assert words == ["first", "second", "afterwards"]
    assert "a pre-start command failed: exit status 3" in machine.wait("refused", "failed").reason


@case(
    0,
    "sockets-are-handed-over-and-start-their-service",
    units={
        "held": unit("sleep-forever", socket="listen = unix:/run/held.socket\nlisten = tcp:127.0.0.1:7070"),
        "lazy": unit("sleep-forever", socket="listen = unix:/run/lazy.socket\non-demand = yes"),
        # PID 1's own probe is the caller.
        "caller": unit(
            "sleep-forever", "readiness = unix\nreadiness-target = /run/lazy.socket", unit="enabled = no\nafter = lazy"
        ),
    },
)
def test_sockets(machine: Machine) -> None:
    """LISTEN_FDS and LISTEN_PID are right, and an on-demand service comes with its first connection."""
    pid = machine.wait("held", "ready").pid
    environment = machine.read(f"/proc/{pid}/environ").split("\0")
    assert {"LISTEN_FDS=2", f"LISTEN_PID={pid}", "LISTEN_FDNAMES=held:held"} <= set(environment)
    descriptors = dict(re.findall(r"^(\d+) -> (.*)$", "\n".join(machine.names(f"/proc/{pid}/fd")), re.MULTILINE))
    assert descriptors["3"].startswith("socket:"), descriptors
    assert descriptors["4"].startswith("socket:"), descriptors
    assert machine.wait("lazy", "idle").pid == -1
    machine.start("caller")
    machine.wait("caller", "ready")
    machine.wait("lazy", "ready")


@case(
    0,
    "timers-run-their-units-again-and-again",
    units={
        "often": unit("exit 0 tick", "type = oneshot", timer="every = 200ms"),
        "nightly": unit("exit 0 never-now", "type = oneshot", timer="on-calendar = yearly\njitter = 1h"),
    },
)
def test_timers(machine: Machine) -> None:
    """A short interval comes round; a calendar far off waits, and a start runs it at once."""
    machine.until("three runs", lambda: machine.log("often").count("tick") >= 3)
    waiting = machine.wait("nightly", "idle")
    assert int(waiting.more["next"]) > 0
    assert "never-now" not in machine.log("nightly")
    machine.start("nightly")
    machine.wait_log("nightly", "never-now")
    machine.wait("nightly", "idle")


@case(0, "templates", units={"echo@": unit("exit 0 instance-%i", "type = oneshot")})
def test_templates(machine: Machine) -> None:
    """An instance comes into being by being started."""
    assert "echo@one" not in machine.units()
    machine.start("echo@one")
    machine.wait("echo@one", "done")
    machine.wait_log("echo@one", "instance-one")
    machine.ask("stop", "echo@one")


@case(
    0,
    "readiness-by-a-program",
    units={"mute": unit("stop-self", "readiness = exec\nreadiness-target = /usr/bin/actor exit 0")},
)
def test_exec_readiness(machine: Machine) -> None:
    """A probe by a program makes a service ready that says nothing itself."""
    machine.wait("mute", "ready")


@case(0, "run-one-is-an-init-for-one-program")
def test_run_one(machine: Machine) -> None:
    """The exit status is the program's, as shells give it."""
    assert machine.run("/usr/bin/thole", "run-one", "--", "/usr/bin/actor", "exit", "7").code == 7
    assert machine.run("/usr/bin/thole", "run-one", "--", "/usr/bin/actor", "crash").code in (134, 139)
    assert machine.run("/usr/bin/thole", "run-one", "--", "/nowhere").code == 127
    assert machine.run("/usr/bin/thole", "run-one").code == 2


@case(0, "systemctl-speaks-systemds-words", units={"plain": unit("sleep-forever")})
def test_systemctl(machine: Machine) -> None:
    """Scripts that ask systemctl get its words and exit statuses."""
    machine.wait("plain", "ready")

    def ask(*words: str) -> tuple[int, str]:
        done = machine.run("/usr/bin/systemctl", *words)
        return done.code, done.stdout.strip()

    assert ask("is-active", "plain.service") == (0, "active")
    assert ask("is-enabled", "plain") == (0, "enabled")
    assert ask("is-failed", "plain")[0] == 1
    assert ask("stop", "plain") == (0, "")
    assert ask("is-active", "plain") == (3, "inactive")
    assert ask("start", "plain") == (0, "")
    assert ask("show", "-p", "ActiveState,SubState", "plain") == (0, "ActiveState=active\nSubState=running")
    assert ask("is-active", "nobody")[0] in (3, 4)
