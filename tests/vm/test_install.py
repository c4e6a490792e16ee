"""A node in memory, from a stick, a CD or the network, that installs itself; and the node that it makes."""

from __future__ import annotations

import functools
import http.server
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from vm.tools import checksum, foreign_ext4, halt_message, throwaway

from qemu.artifacts import Artifacts, one
from qemu.images import make_sparse, read_gpt
from qemu.node import Node
from qemu.vm import BUSY_HOST, GIB, Vm, VmConfig

RUNNING, INSTALLED = 900.0, 900
MEMORY = 3 * GIB  # an image in memory needs as much more of it
DISK = 4 << 30
THOLE = "/usr/bin/thole"
NODE_INI = "[kubernetes]\nenabled = no\n[node]\nname = metal1\n"
pytestmark = pytest.mark.long


def live(artifacts: Artifacts, folder: Path, medium: Path, text: str, **more) -> VmConfig:
    """A machine with a blank disk that starts from a medium, and is told `text`."""
    folder.mkdir(exist_ok=True)
    ini = folder / "node.ini"
    ini.write_text(text)
    target = folder / "target.img"
    make_sparse(target, DISK)
    return throwaway(
        artifacts, folder / "vm", name="live", uefi_disk=medium, data_disk=target, node_config=ini, memory=MEMORY,
        deadline=1800, **more,
    )  # fmt: skip


def boot_installed(artifacts: Artifacts, folder: Path, target: Path, watched: list[Vm]) -> Node:
    """The machine without the medium, and without what told it how to be."""
    vm = Vm(throwaway(artifacts, folder / "installed", name="installed", uefi_disk=target, deadline=1200))
    watched.append(vm)
    node = Node(vm.start())
    print(f"installed node running {node.wait_running(RUNNING):.1f} s after power-on")
    return node


def check_installed(node: Node) -> None:
    """It is what the live node was told to be, on its own disk, and calls its boot good."""
    assert node.agent.read_text("/proc/sys/kernel/hostname").strip() == "metal1"
    line = node.agent.read_text("/proc/cmdline")
    assert "root=/dev/dm-0" in line and "node.data" not in line, line
    var = next(line.split() for line in node.agent.read_text("/proc/mounts").splitlines() if " /var " in line)
    assert var[0] == "/dev/vda4", var
    done = node.agent.execute((THOLE, "install", "--disk", "auto"), 60)
    assert done.status == 1 and "not started from a live image" in done.output, done.output


def test_from_a_stick_by_hand(artifacts: Artifacts, build: Path, tmp_path: Path, watched: list[Vm]) -> None:
    """Nothing is touched before it is said; a disk with data needs --erase; what was written boots."""
    medium = Path(shutil.copyfile(one(build, "live.img"), tmp_path / "stick.img"))
    photographs = tmp_path / "photographs.img"
    foreign_ext4(photographs)
    before = checksum(photographs)
    extra = [
        "-blockdev", f"driver=raw,node-name=photos,file.driver=file,file.filename={photographs}",
        "-device", "virtio-blk-pci,drive=photos,serial=photographs",
    ]  # fmt: skip
    config = live(artifacts, tmp_path / "live", medium, NODE_INI, extra=extra)
    vm = Vm(config)
    watched.append(vm)
    node = Node(vm.start())
    print(f"live node running {node.wait_running(RUNNING):.1f} s after power-on")
    var = next(line.split() for line in node.agent.read_text("/proc/mounts").splitlines() if " /var " in line)
    assert var[0] == "tmpfs", var

    done = node.agent.execute((THOLE, "install"), 60)
    assert done.status == 2 and "say which disk" in done.output and "thole-data" in done.output, done.output
    done = node.agent.execute((THOLE, "install", "--disk", "photographs"), 60)
    assert done.status == 1 and "holds an ext4 file system" in done.output and "--erase" in done.output, done.output
    done = node.agent.execute((THOLE, "install", "--disk", "photographs", "--erase"), 60)
    assert done.status == 1 and "MiB are needed" in done.output, done.output
    done = node.agent.execute((THOLE, "install", "--disk", "auto"), 60)
    assert done.status == 1 and "several disks" in done.output, done.output
    done = node.agent.execute((THOLE, "install", "--disk", "thole-data"), INSTALLED)
    assert done.status == 0, done.output
    print(done.output)
    done = node.agent.execute((THOLE, "install", "--disk", "thole-data"), 60)
    assert done.status == 1 and "4 partitions: thole-esp" in done.output, done.output
    node.poweroff()
    vm.console.check()
    assert checksum(photographs) == before
    names = [partition.label for partition in read_gpt(config.data)]
    assert names == ["thole-esp", "thole-root-a", "thole-root-b", "thole-data"]

    installed = boot_installed(artifacts, tmp_path, config.data, watched)
    check_installed(installed)
    installed.poweroff()


def test_from_a_disc_unattended(artifacts: Artifacts, build: Path, tmp_path: Path, watched: list[Vm]) -> None:
    """node.ini names the disk: the machine writes it and powers off, without a word from anybody."""
    blank = tmp_path / "blank.img"
    make_sparse(blank, 1 << 20)  # the firmware finds nothing there, and goes on to the disc
    extra = [
        "-blockdev", f"driver=raw,node-name=disc,read-only=on,file.driver=file,file.filename={one(build, 'live.iso')}",
        "-device", "virtio-scsi-pci", "-device", "scsi-cd,drive=disc",
    ]  # fmt: skip
    text = NODE_INI + "[install]\ndisk = thole-data\nthen = poweroff\n"
    config = live(artifacts, tmp_path / "live", blank, text, extra=extra)
    vm = Vm(config)
    watched.append(vm)
    vm.start()
    vm.wait_end(RUNNING + INSTALLED)
    vm.console.check()
    installed = boot_installed(artifacts, tmp_path, config.data, watched)
    check_installed(installed)
    installed.poweroff()


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves a folder and says nothing."""

    def log_message(self, *_: object) -> None:
        """Not a word."""


@pytest.fixture
def web(build: Path, tmp_path: Path) -> Iterator[int]:
    """A web server on loopback with kernel, initramfs and iPXE's script; its port."""
    folder = tmp_path / "web"
    folder.mkdir()
    for name in ("bzImage", "live.cpio"):
        (folder / name).symlink_to(one(build, name))
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        port = server.server_address[1]
        line = f"rootfstype=ramfs console=ttyS0 panic=10 thole.node.data=memory thole.node.name=netboot1 {BUSY_HOST}"
        (folder / "boot.ipxe").write_text(f"#!ipxe\nkernel bzImage {line}\ninitrd live.cpio\nboot\n")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield port
        server.shutdown()


def test_from_the_network(artifacts: Artifacts, tmp_path: Path, web: int, watched: list[Vm]) -> None:
    """iPXE on a machine with a BIOS: kernel and initramfs by HTTP."""
    extra = [
        "-netdev", f"user,id=boot,bootfile=http://10.0.2.2:{web}/boot.ipxe",
        "-device", "virtio-net-pci,netdev=boot,bootindex=0",
    ]  # fmt: skip
    ini = tmp_path / "node.ini"
    ini.write_text("[kubernetes]\nenabled = no\n")
    config = throwaway(
        artifacts, tmp_path / "vm", name="netboot", firmware=True, network=False, memory=MEMORY, extra=extra,
        node_config=ini, deadline=1200,
    )  # fmt: skip
    vm = Vm(config)
    watched.append(vm)
    node = Node(vm.start())
    print(f"running {node.wait_running(RUNNING):.1f} s after power-on")
    assert node.agent.read_text("/proc/sys/kernel/hostname").strip() == "netboot1"
    mounts = node.agent.read_text("/proc/mounts")
    assert "/live/root / erofs" in mounts, mounts
    node.poweroff()


def test_an_initramfs_in_a_tmpfs_says_what_it_needs(
    artifacts: Artifacts, build: Path, tmp_path: Path, watched: list[Vm]
) -> None:
    """erofs does not read from there: the node halts and names the remedy."""
    config = throwaway(artifacts, tmp_path / "vm", name="tmpfs", memory=MEMORY, initramfs=one(build, "live.cpio"))
    vm = Vm(config)
    watched.append(vm)
    vm.start()
    assert "rootfstype=ramfs" in halt_message(vm, RUNNING)
