"""Wrong input: one clear message, and nothing lost. A node halts; a VM does not even start."""

from __future__ import annotations

import dataclasses
import re
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from vm import tools
from vm.tools import throwaway

from driver.errors import TholeError
from qemu.artifacts import Artifacts
from qemu.host import MIB
from qemu.vm import MINIMUM_MEMORY, Vm

FOREIGN: dict[str, tuple[Callable[[Path], None], str]] = {
    "ext4": (tools.foreign_ext4, "ext4 file system with the label 'photographs'"),
    "xfs": (tools.foreign_xfs, "xfs"),
    "swap": (tools.foreign_swap, "swap"),
    "partitions": (tools.foreign_partitions, "partition"),
}


def test_unknown_key_halts_the_node(artifacts: Artifacts, tmp_path: Path, watched: list[Vm]) -> None:
    """The console names the file, the line, the key and the nearest key there is."""
    ini = tmp_path / "node.ini"
    ini.write_text("[node]\nname = misspelt\n\n[network]\nadress = dhcp\n")
    vm = Vm(throwaway(artifacts, tmp_path / "vm", node_config=ini, name="unknown-key"))
    watched.append(vm)
    vm.start()
    message = tools.halt_message(vm)
    assert "unknown key 'adress' in [network]; did you mean 'address'?" in message
    assert "node.ini:5" in message, "file and line are not named"
    stays_halted(vm)


@pytest.mark.parametrize("kind", FOREIGN)
def test_foreign_disk_is_left_alone(
    kind: str, artifacts: Artifacts, tmp_path: Path, watched: list[Vm]
) -> None:
    """A data disk with anything that is not ours: the node stops, and not a byte of the disk changes."""
    disk = tmp_path / "foreign.img"
    FOREIGN[kind][0](disk)
    before = tools.checksum(disk)
    vm = Vm(throwaway(artifacts, tmp_path / "vm", data_disk=disk, name=f"foreign-{kind}"))
    watched.append(vm)
    vm.start()
    message = tools.halt_message(vm)
    assert re.search(rf"The data disk /dev/vdb .*{FOREIGN[kind][1]}", message)
    assert "It was not touched." in message
    stays_halted(vm)
    vm.kill()
    assert tools.checksum(disk) == before, "the foreign disk was changed"


@pytest.mark.parametrize("part", ["half", "last-sector"])
def test_truncated_disk_is_refused(part: str, artifacts: Artifacts, tmp_path: Path) -> None:
    """An image file that is cut short: said before QEMU starts."""
    disk = tmp_path / "disk.img"
    shutil.copyfile(artifacts.disk, disk)
    size = disk.stat().st_size
    with disk.open("r+b") as file:
        file.truncate(size // 2 if part == "half" else size - 512)
    refused(dataclasses.replace(artifacts, disk=disk), tmp_path, rf"{disk} is cut short: it has \d+ bytes")


def test_truncated_kernel_is_refused(artifacts: Artifacts, tmp_path: Path) -> None:
    """The same for the kernel."""
    kernel = tmp_path / "vmlinux"
    with artifacts.kernel.open("rb") as file:
        kernel.write_bytes(file.read(4 * MIB))
    refused(dataclasses.replace(artifacts, kernel=kernel), tmp_path, rf"{kernel} is cut short")


def test_missing_disk_is_refused(artifacts: Artifacts, tmp_path: Path) -> None:
    """No image at all."""
    disk = tmp_path / "nothing.img"
    refused(dataclasses.replace(artifacts, disk=disk), tmp_path, rf"{disk} is not there")


def test_port_in_use_is_refused(artifacts: Artifacts, tmp_path: Path) -> None:
    """Another program has the port: the message names it and the way out."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        refused(artifacts, tmp_path, rf"port {port} of 127\.0\.0\.1.*in use(.|\n)*--port auto", port=port)


def test_too_little_memory_for_a_node_is_refused(artifacts: Artifacts, tmp_path: Path) -> None:
    """Less than a node needs."""
    refused(artifacts, tmp_path, r"256 MiB.*too little for a node.*needs 1024 MiB", memory=256 * MIB)


def test_too_little_memory_on_this_machine_is_refused(artifacts: Artifacts, tmp_path: Path) -> None:
    """More than this machine has."""
    refused(artifacts, tmp_path, r"this machine has \d+ MiB of memory left", memory=MINIMUM_MEMORY * 4096)


def refused(artifacts: Artifacts, folder: Path, message: str, **more: object) -> None:
    """Starting must fail with this message, and leave neither a VM nor a data disk."""
    config = dataclasses.replace(throwaway(artifacts, folder / "vm"), **more)
    vm = Vm(config)
    with pytest.raises(TholeError) as caught:
        vm.start()
    assert not vm.alive()
    assert caught.match(message)
    assert not config.data.exists(), "a data disk was made for a VM that never started"


def stays_halted(vm: Vm) -> None:
    """A halted node neither goes on booting nor reboots by itself; its console has no other trouble."""
    with pytest.raises(TholeError):
        vm.agent.wait(10)
    assert vm.alive(), f"the node ended or rebooted instead of standing still:\n{vm.console.tail()}"
    vm.console.check()
