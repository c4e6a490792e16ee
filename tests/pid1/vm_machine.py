"""A machine that is a VM: thole's own kernel, real cgroup2, and the tiny root on a disk of its own."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pid1.agent import Agent
from pid1.machine import Boot, Machine, clean_console
from pid1.tree import Programs, make

from driver import host_tools
from image import disk
from qemu.artifacts import Artifacts, one
from qemu.host import MIB
from qemu.images import make_sparse
from qemu.vm import BUSY_HOST, Vm, VmConfig, escape

PORT = "thole.test"
AGENT_UNIT = f"""\
[unit]
description = the test's agent
[service]
command = /usr/bin/actor agent /dev/virtio-ports/{PORT}
oom-score-adjust = -500
"""
STARTED = 240  # 3 s on an idle machine, minutes on one that has much else to do
DEADLINE = 1800
DATA_SIZE = 256 * MIB
# The tiny root has no nft.
COMMAND_LINE = f"{BUSY_HOST} thole.network.address=none thole.kubernetes.enabled=no thole.firewall.enabled=no"
LACKING = {
    "launcher": "in a VM the kernel starts PID 1, and nobody stands before it",
    "outside": "in a VM nobody is outside of PID 1's namespace",
}


class BareVm(Vm):
    """A VM without a data disk, whose /var is in memory."""

    def _disks(self) -> list[str]:
        root = escape(self.config.artifacts.disk)
        return [
            "-blockdev", f"driver=raw,node-name=root,read-only=on,file.driver=file,file.filename={root}",
            "-device", "virtio-blk-pci,drive=root,serial=thole-root",
        ]  # fmt: skip


class VmMachine(Machine):
    """The kernel starts PID 1; the agent talks through a virtio port."""

    kind = "vm"

    def __init__(
        self,
        build: Path,
        folder: Path,
        units: Mapping[str, str],
        boot: Boot = Boot(),
        fill: Callable[[Path], None] | None = None,
    ) -> None:
        """`fill` puts more into the tree, which is then for a machine of its own."""
        super().__init__()
        folder.mkdir(parents=True, exist_ok=True)
        kernel = one(build, "vmlinux")
        image = pack(folder, Programs.find(build), {"agent": AGENT_UNIT, **units}, fill)
        artifacts = Artifacts(kernel=kernel, disk=image, init=kernel, kubernetes=kernel, root_tar=kernel)
        # A socket's path has at most 107 bytes: a short place of its own. QEMU connects to us, before the guest runs.
        self._sockets = Path(tempfile.mkdtemp(prefix="thole-pid1-"))
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self._sockets / "agent"))
        listener.listen(1)
        listener.settimeout(STARTED)
        port = escape(self._sockets / "agent")
        extra = ["-chardev", f"socket,id=test,path={port}", "-device", f"virtserialport,chardev=test,name={PORT}"]
        extra += boot.devices
        config = VmConfig(
            artifacts=artifacts, folder=folder, name="pid1", memory=1024 * MIB, minimum_memory=256 * MIB, cpus=2,
            network=False, throwaway=True, data_size=MIB, reboots=False, deadline=DEADLINE,
            command_line=f"{COMMAND_LINE} {boot.command_line}", extra=extra,
        )  # fmt: skip
        self._vm = Vm(config) if boot.data_disk else BareVm(config)
        if boot.data_disk:
            make_data_disk(config.data)
        self._vm.start()
        with listener:
            stream, _ = listener.accept()
        stream.settimeout(None)
        self.agent = Agent(stream)
        try:
            self._wait_agent()
            self.write("/proc/sys/kernel/threads-max", "30000")  # for the 10,000 of case 4
        except BaseException:
            self.end()
            raise

    def _wait_agent(self) -> None:
        limit = time.monotonic() + STARTED
        while not self.agent.hello:
            assert self.alive(), f"the VM ended:\n{self.explain()}"
            assert time.monotonic() < limit, f"no agent after {STARTED} s:\n{self.explain()}"
            self.agent.wait_change(0.25)

    def console(self) -> str:
        """The serial console."""
        try:
            return clean_console(self._vm.console.path.read_bytes())
        except FileNotFoundError:
            return ""

    def signal_pid1(self, number: int) -> None:
        """From the agent: in a VM there is no place above."""
        self.agent.signal(1, number)

    def alive(self) -> bool:
        """Whether QEMU runs."""
        return self._vm.alive()

    def hardware_event(self, *names: str, timeout: float) -> dict[str, Any]:
        """What QEMU says of the hardware: a watchdog that has bitten, a shutdown and who wanted it."""
        return self._vm.qmp.wait_event(*names, timeout=timeout)

    def wait_end(self, timeout: float) -> int:
        """QEMU ends when the guest powers off or, as it is started here, reboots."""
        self._vm.wait_end(timeout)
        self.check_console()
        return 0

    def end(self) -> None:
        """A power cut."""
        self._vm.kill()
        self.agent.close()
        shutil.rmtree(self._sockets, ignore_errors=True)


def make_data_disk(path: Path) -> None:
    """A data disk that PID 1 takes as it is, so that the tree needs no mkfs."""
    make_sparse(path, DATA_SIZE)
    subprocess.run(["/sbin/mke2fs", "-q", "-t", "ext4", "-L", "thole-data", str(path)], check=True)


def pack(folder: Path, programs: Programs, units: Mapping[str, str], fill: Callable[[Path], None] | None) -> Path:
    """A disk image with the tiny root."""
    root = folder / "root"
    make(root, programs, units)
    if fill:
        fill(root)
    image = folder / "root.erofs"
    subprocess.run(
        [*host_tools.tool("mkfs.erofs"), "--all-root", "--quiet", str(image), str(root)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    path = folder / "disk.img"
    disk.write(path, disk.slots(image, image.stat().st_size, 0, "amd64"), 0)
    shutil.rmtree(root)
    return path
