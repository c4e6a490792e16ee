"""Boots of the base profile: the kernel started by QEMU, by UEFI from a disk, and with everything in memory."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from bench.supervisors import Results
from driver.errors import TholeError
from driver.paths import CHECKOUT
from qemu.artifacts import Artifacts, one
from qemu.node import Node
from qemu.vm import GIB, Vm, VmConfig

MEMORY = GIB
LIMIT = 300.0
IDLE = 30.0
_FIRST = re.compile(r"^\[ *(\d+\.\d)\] ", re.MULTILINE)  # a line of PID 1: one digit after the point, the kernel's have six
_MEMORY = re.compile(r"^(\w+): +(\d+) kB$", re.MULTILINE)
WAYS = ("QEMU's -kernel", "UEFI, disk", "UEFI, everything in memory")


def images(build: Path, folder: Path) -> dict[str, Path]:
    """A disk and a live image of the base profile."""
    root, kernel = one(build, "base-root.erofs"), one(build, "bzImage")
    for script, more in (("uefi.py", ()), ("live.py", ("--init", one(build, "init")))):
        command = [
            sys.executable, CHECKOUT / "image" / script, "--root", root, "--kernel", kernel, "--version", "0", "--out", folder,
            *more,
        ]  # fmt: skip
        environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        if done.returncode != 0:
            raise TholeError(f"image/{script} made no image: {done.stderr.strip()[-500:]}")
    return {"disk": folder / "uefi.img", "stick": folder / "live.img"}


def config(way: str, build: Path, made: dict[str, Path], folder: Path) -> VmConfig:
    """A VM with an empty data disk that boots this way."""
    own: dict[str, object] = {}
    if way != WAYS[0]:
        disk = folder / "boot.img"
        shutil.copyfile(made["disk" if way == WAYS[1] else "stick"], disk)
        own = {"uefi_disk": disk}
    return VmConfig(
        artifacts=Artifacts.find(build, "base"), folder=folder, port="auto", throwaway=True, reboots=False, memory=MEMORY,
        deadline=LIMIT, **own,
    )  # fmt: skip


def boot(way: str, build: Path, made: dict[str, Path], folder: Path, idle: bool) -> Results:
    """Seconds from power-on to each milestone; with `idle` the memory that is not available after a while, in MB."""
    found: Results = {}
    with Vm(config(way, build, made, folder)) as vm:
        node = Node(vm)
        vm.console.wait_for(_FIRST.pattern, LIMIT, vm.alive)
        found["init"] = time.monotonic() - node.started
        node.wait_agent(LIMIT)
        found["agent"] = time.monotonic() - node.started
        found["running"] = node.wait_running(LIMIT)
        if idle:
            time.sleep(IDLE)
            known = {name: int(size) * 1024 / 1e6 for name, size in _MEMORY.findall(node.agent.read_text("/proc/meminfo"))}
            found["used"] = known["MemTotal"] - known["MemAvailable"]
            found["kernel"] = MEMORY / 1e6 - known["MemTotal"]
        node.poweroff(60)
    return found


def instructions(build: Path, folder: Path) -> float:
    """Millions of them from power-on to PID 1's first line: with one a nanosecond, the guest's own clock counts them."""
    settings = config(WAYS[0], build, {}, folder)
    settings.cpus, settings.counted = 1, True
    with Vm(settings) as vm:
        line = vm.console.wait_for(_FIRST.pattern, LIMIT, vm.alive)
        return float(line[1]) * 1000
