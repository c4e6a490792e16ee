"""A node of aarch64, emulated: kernel, root file system and disk of the base profile start, and end in order."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from vm.tools import throwaway

from qemu.artifacts import CHECKOUT, Artifacts, find_one
from qemu.images import check_ext4
from qemu.node import Node
from qemu.vm import GIB, Vm

BUILD = CHECKOUT / "build" / "aarch64"
# A machine of another architecture is emulated more slowly than one of the same.
BOOT, POWEROFF = 300.0, 60

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def foreign() -> Artifacts:
    """What `./thole build --arch aarch64` makes; its kernel takes as long as that of x86_64."""
    command = [sys.executable, CHECKOUT / "thole", "build", "--arch", "aarch64", "--profile", "base", "--format", "uefi"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Artifacts.find(BUILD)


def looked_at(node: Node) -> None:
    """It is what it should be, and everything that should run does."""
    node.wait_agent(BOOT)
    print(f"running {node.wait_running(BOOT):.1f} s after power-on")
    assert node.agent.read_text("/proc/sys/kernel/arch").strip() == "aarch64"
    print(f"off after {node.poweroff(POWEROFF):.1f} s")
    node.vm.console.check()


def test_kernel_and_root(foreign: Artifacts, tmp_path: Path, watched: list[Vm]) -> None:
    """QEMU starts the kernel, with the root file system on a disk."""
    vm = Vm(throwaway(foreign, tmp_path / "vm", name="aarch64", memory=GIB))
    watched.append(vm)
    vm.start()
    looked_at(Node(vm))
    check_ext4(vm.config.data)


def test_disk_by_uefi(foreign: Artifacts, tmp_path: Path, watched: list[Vm]) -> None:
    """UEFI starts the disk: systemd-boot, the unified kernel image, the root under dm-verity."""
    image = find_one(BUILD, "uefi.img")
    assert image
    disk = tmp_path / "disk.img"
    subprocess.run(["cp", "--sparse=always", image, disk], check=True)
    vm = Vm(throwaway(foreign, tmp_path / "vm", name="aarch64-uefi", memory=GIB, uefi_disk=disk))
    watched.append(vm)
    vm.start()
    looked_at(Node(vm))
