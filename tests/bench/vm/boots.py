"""Boots of both on the same kernel, processors and memory: time from the exec of PID 1 to all services, PSS of all."""

from __future__ import annotations

import json
import re
import statistics
import tempfile
import time
from pathlib import Path

from bench.supervisors import FAILURES, Results, Say, reason
from bench.table import Line
from bench.vm import debian
from driver.errors import TholeError
from qemu import host
from qemu.artifacts import Artifacts
from qemu.node import Node
from qemu.process import Process
from qemu.vm import Vm, VmConfig

LINES = (
    Line("ready", "exec of PID 1 to all base services ready, s", 2),
    Line("pss", "PSS of all processes, MB", 2),
    Line("processes", "processes"),
)
COLUMNS = ("thole", "Debian 13, systemd")
MEMORY = 2 << 30
CPUS = 2
_LIMIT = 300
_SETTLED = 20
_EXEC = re.compile(r"^\[ *(\d+\.\d+)\] Run \S+ as init process", re.MULTILINE)
_FINISHED = re.compile(r"Startup finished in .*?\+ ([^=]*?)(?: =|$)", re.MULTILINE)
_PROCESS = re.compile(r"^bench: (\S.*) (\d+)\s*$", re.MULTILINE)
_TIME = re.compile(r"([\d.]+)(min|ms|s)\b")
_UNITS = {"min": 60.0, "s": 1.0, "ms": 0.001}


def measure(rounds: int, say: Say) -> tuple[dict[str, Results], str]:
    """Both, one after the other; the accelerator is the second."""
    artifacts = Artifacts.find()
    accelerator = host.accelerator(artifacts.kernel)
    found: dict[str, list[Results]] = {name: [] for name in COLUMNS}
    failed: dict[str, str] = {}
    for turn in range(rounds):
        for name, boot in zip(COLUMNS, (_thole, _systemd), strict=True):
            say(f"VM: {name}, {turn + 1} of {rounds}")
            try:
                found[name].append(boot(artifacts, accelerator))
            except FAILURES as failure:
                failed[name] = reason(failure, name)
    return {name: _middle(runs) if runs else {"ready": failed[name]} for name, runs in found.items()}, accelerator


def _middle(runs: list[Results]) -> Results:
    return {line.key: statistics.median(float(one[line.key]) for one in runs) for line in LINES}


def _thole(artifacts: Artifacts, accelerator: str) -> Results:
    with tempfile.TemporaryDirectory(prefix="thole-bench-") as folder:
        config = VmConfig(
            artifacts=artifacts, folder=Path(folder), port="auto", throwaway=True, reboots=False, memory=MEMORY,
            cpus=CPUS, deadline=_LIMIT, accelerator=accelerator,
            # The kernel then says when it executes PID 1; nothing of that comes after.
            command_line="thole.kubernetes.enabled=no loglevel=7 no_timer_check",
        )  # fmt: skip
        with Vm(config) as vm:
            node = Node(vm)
            node.wait_agent()
            units = _at_rest(node)
            time.sleep(_SETTLED)
            sizes = _sizes(node)
            began = _EXEC.search(vm.console.text())
            node.poweroff()
    if not began:
        raise TholeError("the kernel did not say when it executed PID 1", "its command line needs loglevel=7")
    ready = max(unit["since_ms"] for unit in units if unit["state"] in ("ready", "done")) / 1000 - float(began[1])
    return {"ready": ready, "pss": sum(sizes) / 1000, "processes": len(sizes)}


def _at_rest(node: Node) -> list[dict]:
    """The units' states when none is on its way any more."""
    limit = time.monotonic() + _LIMIT
    while time.monotonic() < limit:
        units = json.loads(node.agent.check_output(["thole", "status", "--json"]))
        if not any(unit["state"] in ("waiting", "preparing", "starting", "delayed") for unit in units):
            return units
        time.sleep(0.5)
    raise TholeError(f"the node's units do not come to rest in {_LIMIT} s", "./thole run shows the console")


def _sizes(node: Node) -> list[int]:
    """PSS of each process in kB; kernel threads have none."""
    last = int(node.agent.read_text("/proc/loadavg").split()[-1])
    paths = [f"/proc/{pid}/smaps_rollup" for pid in range(1, last + 1)]
    found = []
    for path in paths:
        if node.agent.exists(path):
            size = re.search(r"^Pss:\s+(\d+) kB$", _text(node, path), re.MULTILINE)
            found += [int(size[1])] if size and int(size[1]) else []
    return found


def _text(node: Node, path: str) -> str:
    try:
        return node.agent.read_text(path)
    except TholeError:
        return ""  # it has ended, or is a kernel thread


def _systemd(artifacts: Artifacts, accelerator: str) -> Results:
    with tempfile.TemporaryDirectory(prefix="thole-bench-") as folder:
        console = Path(folder) / "console.log"
        command = _arguments(artifacts.kernel, accelerator, debian.image(), console)
        process = Process(command, Path(folder) / "qemu.log", _LIMIT)
        try:
            process.wait(_LIMIT)
            text = console.read_text(errors="replace").replace("\r\n", "\n")
        finally:
            process.kill()
    return read_console(text)


def read_console(text: str) -> Results:
    """What `systemd-analyze time` and pss wrote on the console."""
    finished = _FINISHED.search(text)
    sizes = [int(match[2]) for match in _PROCESS.finditer(text)]
    if not finished or not sizes:
        raise TholeError(f"the Debian with systemd did not come up:\n{text[-1500:]}", "see tests/bench/vm")
    ready = sum(float(value) * _UNITS[unit] for value, unit in _TIME.findall(finished[1]))
    return {"ready": ready, "pss": sum(sizes) / 1000, "processes": len(sizes)}


def _arguments(kernel: Path, accelerator: str, disk: Path, console: Path) -> list[str]:
    fast = ["-accel", "kvm", "-cpu", "host"] if accelerator == "kvm" else ["-accel", "tcg,thread=multi", "-cpu", "max"]
    return [
        *host.qemu_command(), "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
        "-machine", "q35,hpet=off,vmport=off,smbus=off,sata=off,graphics=off", *fast,
        "-smp", str(CPUS), "-m", f"{MEMORY >> 20}M", "-kernel", str(kernel),
        "-append", "root=/dev/vda rw console=ttyS0 loglevel=5 panic=10 no_timer_check",
        "-drive", f"file={disk},format=raw,if=virtio,cache=unsafe,snapshot=on", "-serial", f"file:{console}",
        "-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,romfile=", "-device", "virtio-rng-pci",
    ]  # fmt: skip
