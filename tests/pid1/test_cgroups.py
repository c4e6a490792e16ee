"""Cases 18 to 20: cgroups that empty late, leaked ones, and PID 1's own place."""

from __future__ import annotations

import signal

from pid1.cases import case, unit
from pid1.machine import Machine

ROOT = "/sys/fs/cgroup"


@case(
    18,
    "restart-waits-for-an-empty-cgroup",
    needs=("cgroup2",),
    units={"family": unit("spawn-children 40 ignore", "restart = always", "restart-delay = 20ms", "stop-timeout = 300ms")},
)
def test_restart_waits(machine: Machine) -> None:
    """The main process dies and leaves 40 children that hear no SIGTERM: the next one starts in an empty cgroup."""
    machine.start("family")
    machine.wait_log("family", "children are there")
    for _ in range(3):
        unit = machine.wait("family", "ready")
        machine.until("all children are there", lambda: len(members(machine, "family")) == 41)
        old = set(members(machine, "family"))
        machine.signal(unit.pid, signal.SIGKILL)
        now = machine.wait_unit(
            "family", "started again", lambda now, old=unit.pid: now.state == "ready" and now.pid != old, 30
        )
        assert now.pid not in old
        assert not old & set(members(machine, "family")), "the old processes are beside the new ones"
    machine.stop("family")
    machine.until("its cgroup is empty", lambda: not members(machine, "family"))
    assert "Device or resource busy" not in machine.console()


@case(
    19,
    "leaked-cgroups-are-removed-depth-first",
    needs=("cgroup2",),
    units={"leaker": unit("leak-cgroups 4", "restart = never", cgroup="delegate = yes")},
)
def test_leaked_cgroups(machine: Machine) -> None:
    """A service with a delegated subtree leaves cgroups below cgroups: the next start finds none of them."""
    for _ in range(2):
        machine.start("leaker")
        unit = machine.wait("leaker", "ready")
        machine.until(
            "its process is deep down",
            lambda pid=unit.pid: machine.read(f"/proc/{pid}/cgroup").strip().endswith("leaker/deep/deep/deep/deep"),
        )
        machine.stop("leaker")
        machine.until("its cgroups are removed", lambda: not below(machine, "leaker"))


@case(20, "pid-1-lives-in-init-scope", needs=("cgroup2",), units={"neighbour": unit("sleep-forever")})
def test_init_scope(machine: Machine) -> None:
    """PID 1 sits in /init.scope, on a host and in a container, so that the root can hand controllers down."""
    assert "0::/init.scope" in machine.read("/proc/1/cgroup").splitlines()
    machine.start("neighbour")
    pid = machine.wait("neighbour", "ready").pid
    assert "0::/services/neighbour" in machine.read(f"/proc/{pid}/cgroup").splitlines()
    alone = [pid for pid in machine.read(f"{ROOT}/init.scope/cgroup.procs").split() if pid != "1"]
    names = [machine.processes().get(int(pid), [""])[0] for pid in alone]
    assert all("init" in name or name == "/proc/self/exe" for name in names), f"strangers in init.scope: {names}"
    if machine.kind == "vm":
        # Kernel threads live in the root and have no command line.
        left = {int(pid) for pid in machine.read(f"{ROOT}/cgroup.procs").split()} & set(machine.processes())
        assert not left, f"processes are left in the root: {left}"
        assert {"cpu", "memory", "pids"} <= set(machine.read(f"{ROOT}/cgroup.subtree_control").split())


def members(machine: Machine, name: str) -> list[int]:
    """The processes of a service's cgroup; none where it is gone."""
    try:
        return [int(pid) for pid in machine.read(f"{ROOT}/services/{name}/cgroup.procs").split()]
    except OSError:
        return []


def below(machine: Machine, name: str) -> list[str]:
    """The cgroups below a service's own."""
    done = machine.run("/usr/bin/actor", "list", f"{ROOT}/services/{name}")
    return [line for line in done.stdout.splitlines() if line in ("side", "deep")] if done.code == 0 else []
