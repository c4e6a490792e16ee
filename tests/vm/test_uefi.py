"""The disk that UEFI boots: its boot loader, the unified kernel image, the root under dm-verity."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest
from vm.tools import throwaway

from qemu.artifacts import Artifacts, one
from qemu.images import Partition, read_gpt
from qemu.node import Node
from qemu.vm import Vm

RUNNING, TROUBLE = 600.0, 300
LARGER = 2 << 30  # than the image that was written to it
NO_KUBERNETES = "[kubernetes]\nenabled = no\n"
pytestmark = pytest.mark.long


@pytest.fixture
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy, which the guest and the test write to."""
    made = one(Path(request.config.getoption("--build")), "uefi.img")
    disk = Path(shutil.copyfile(made, tmp_path / "uefi.img"))
    os.truncate(disk, disk.stat().st_size + LARGER)
    return disk


@pytest.fixture
def config(artifacts: Artifacts, disk: Path, tmp_path: Path):
    """A node without Kubernetes that boots it."""
    ini = tmp_path / "node.ini"
    ini.write_text(NO_KUBERNETES)
    return throwaway(artifacts, tmp_path / "vm", name="uefi", uefi_disk=disk, node_config=ini)


def partition(disk: Path, label: str) -> Partition:
    """One of the disk's partitions."""
    return next(found for found in read_gpt(disk) if found.label == label)


def test_it_boots_under_verity(config, disk: Path, watched: list[Vm]) -> None:
    """systemd-boot starts the kernel, and what is mounted is what was sealed."""
    vm = Vm(config)
    watched.append(vm)
    node = Node(vm.start())
    print(f"running {node.wait_running(RUNNING):.1f} s after power-on")
    line = node.agent.read_text("/proc/cmdline")
    assert "root=/dev/dm-0" in line and "verity" in line, line
    mounts = [words[:3] for words in map(str.split, node.agent.read_text("/proc/mounts").splitlines())]
    assert ["/dev/root", "/", "erofs"] in mounts or ["/dev/dm-0", "/", "erofs"] in mounts, mounts
    assert node.agent.exists("/sys/firmware/efi/efivars")
    assert "thole-" in node.agent.read_file(
        "/sys/firmware/efi/efivars/LoaderEntrySelected-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
    ).decode("utf-16-le", "replace")
    assert re.search(r"partition /dev/vda4 grown from 512 MiB to 25\d\d MiB", vm.console.text())
    words = next(line.split() for line in node.agent.read_text("/proc/mounts").splitlines() if " /var " in line)
    assert words[0] == "/dev/vda4", words
    node.poweroff()
    vm.console.check()
    assert partition(disk, "thole-data").size > LARGER


def test_a_bios_boots_it(artifacts: Artifacts, tmp_path: Path, request: pytest.FixtureRequest, watched: list[Vm]) -> None:
    """The disk of `--format bios`: under dm-verity too, but without upgrades in place; UEFI boots the same disk."""
    made = one(Path(request.config.getoption("--build")), "bios.img")
    disk = Path(shutil.copyfile(made, tmp_path / "bios.img"))
    ini = tmp_path / "node.ini"
    ini.write_text(NO_KUBERNETES)
    for name, by_bios in (("bios", True), ("bios-by-uefi", False)):
        vm = Vm(throwaway(artifacts, tmp_path / name, name=name, uefi_disk=disk, node_config=ini, firmware=by_bios))
        watched.append(vm)
        node = Node(vm.start())
        print(f"{name}: running {node.wait_running(RUNNING):.1f} s after power-on")
        assert "root=/dev/dm-0" in node.agent.read_text("/proc/cmdline")
        assert node.agent.exists("/sys/firmware/efi") != by_bios
        if by_bios:
            refused = node.agent.execute(["/usr/bin/thole", "rollback"])
            assert refused.status == 1 and "started by a BIOS" in refused.output, refused
        node.poweroff()
        vm.console.check()


def test_a_flipped_byte_is_refused(config, disk: Path, watched: list[Vm]) -> None:
    """In the middle of the root: the kernel stops before anything of it is used."""
    root = partition(disk, "thole-root-a")
    with disk.open("r+b") as stream:
        stream.seek(root.start + 1024)  # the superblock, which every mount reads
        byte = stream.read(1)
        stream.seek(root.start + 1024)
        stream.write(bytes([byte[0] ^ 1]))
    vm = Vm(config)
    watched.append(vm)
    vm.start()
    vm.console.wait_for(r"dm-verity device has corrupted|data block 0 is corrupted", TROUBLE, vm.alive)
