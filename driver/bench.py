"""Figures of the first path: sizes, memory of PID 1, boot and rebuild times. Printed, never asserted."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from driver import artefacts
from driver.display import Display
from driver.errors import TholeError
from driver.paths import CHECKOUT, TARGET

# Lines of init carry one digit after the point, those of the kernel six.
_INIT_LINE = re.compile(r"^\[ *\d+\.\d\] ", re.MULTILINE)
_EDITED = CHECKOUT / "init" / "main.cpp"
_EDIT = '\nextern "C" {{ [[gnu::used, gnu::retain]] extern const char thole_bench[] = "{}"; }}\n'
_POLL = 0.01


class Figure(NamedTuple):
    """One measured thing with what it should be."""

    name: str
    value: float
    unit: str
    goal: float | None = None

    def row(self) -> tuple[str, str, str]:
        """Name, value and goal as text."""
        goal = "" if self.goal is None else f"goal {_number(self.goal)} {self.unit}"
        over = goal and self.value > self.goal
        return self.name, f"{_number(self.value)} {self.unit}", goal + (" (missed)" if over else "")


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 or value == int(value) else f"{value:.2f}"


def sizes() -> list[Figure]:
    """Bytes of what the build made."""
    rows = {row["name"]: row["bytes"] for row in artefacts.collect(TARGET)}
    missing = [name for name in ("init", "kernel", "disk") if name not in rows]
    if missing:
        raise TholeError(f"the build has no {', '.join(missing)}", "./thole build makes it")
    return [
        Figure("init binary", rows["init"] / 1000, "kB", 200),
        Figure("kernel bzImage", rows["kernel"] / 1e6, "MB", 8),
        Figure("disk image", rows["disk"] / 1e6, "MB", 150),
        Figure("root file system", rows["root"] / 1e6, "MB"),
    ]


def rebuilds(display: Display) -> list[Figure]:
    """Seconds of a build with nothing changed, and after an edit of init/ that changes its binary."""
    _timed_build()
    idle = min(_timed_build() for _ in range(3))
    display.update_text("bench", "editing init/main.cpp and building")
    before = _EDITED.read_bytes()
    try:
        _EDITED.write_bytes(before + _EDIT.format(time.time_ns()).encode())
        edited = _timed_build()
    finally:
        _EDITED.write_bytes(before)
    _timed_build()
    return [Figure("build, nothing changed", idle, "s", 1), Figure("build, init edited", edited, "s", 15)]


def _timed_build() -> float:
    start = time.monotonic()
    command = [sys.executable, str(CHECKOUT / "thole"), "build", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise TholeError(f"the build failed: {done.stderr.strip()}", "./thole build says more")
    return time.monotonic() - start


def boot(display: Display, memory: int, cpus: int) -> list[Figure]:
    """Boot a node with an empty data disk to Ready and look at PID 1."""
    from qemu.artifacts import Artifacts
    from qemu.node import Node
    from qemu.vm import Vm, VmConfig

    with tempfile.TemporaryDirectory(prefix="thole-bench-") as folder:
        config = VmConfig(
            artifacts=Artifacts.find(),
            folder=Path(folder),
            port="auto",
            throwaway=True,
            reboots=False,
            memory=memory,
            cpus=cpus,
            deadline=900,
        )
        # Choosing an accelerator starts small VMs of its own, which is no part of a boot.
        config.accelerator = _accelerator(config.artifacts.kernel)
        start = time.monotonic()
        with Vm(config) as vm:
            first = _wait(
                lambda: bool(_INIT_LINE.search(vm.console.text())), start, 60, "PID 1 says something"
            )
            display.update_text("bench", "waiting for the node to be Ready")
            node = Node(vm)
            node.wait_ready()
            ready = time.monotonic() - start
            status = node.agent.read_text("/proc/1/status")
            meminfo = _kilobytes(node.agent.read_text("/proc/meminfo"))
            off = node.poweroff()
        vm.console.check()
    used = (meminfo["MemTotal"] - meminfo["MemAvailable"]) / 1000
    return [
        Figure(f"power-on to PID 1 ({config.accelerator})", first, "s", 1.2),
        Figure(f"power-on to node Ready ({config.accelerator}, {cpus} CPUs)", ready, "s", 30),
        Figure("RssAnon of PID 1", _kilobytes(status)["RssAnon"] * 1.024, "kB", 150),
        Figure("memory in use when Ready", used * 1.024, "MB"),
        Figure("power-off", off, "s", 20),
    ]


def _accelerator(kernel: Path) -> str:
    from qemu import host

    return host.accelerator(kernel)


def _wait(condition: Callable[[], bool], start: float, timeout: float, what: str) -> float:
    """Seconds from `start` until the condition holds."""
    while not condition():
        if time.monotonic() - start > timeout:
            raise TholeError(
                f"waited {timeout:.0f} s in vain until {what}", "./thole run --check shows the console"
            )
        time.sleep(_POLL)
    return time.monotonic() - start


def _kilobytes(text: str) -> dict[str, int]:
    """The `Name: N kB` lines of a file in /proc."""
    return {match[1]: int(match[2]) for match in re.finditer(r"^(\w+):\s+(\d+) kB$", text, re.MULTILINE)}


def table(figures: list[Figure]) -> str:
    """The figures as text."""
    rows = [figure.row() for figure in figures]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    return "\n".join(
        f"{name:<{widths[0]}}  {value:>{widths[1]}}  {goal}".rstrip() for name, value, goal in rows
    )
