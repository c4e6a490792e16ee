"""What the VM tests share: configurations for short-lived nodes, and foreign disks."""

from __future__ import annotations

import hashlib
import re
import struct
import subprocess
from pathlib import Path
from typing import Any

from qemu.artifacts import Artifacts
from qemu.cluster.spec import ClusterSpec
from qemu.images import make_sparse
from qemu.vm import Vm, VmConfig

DEADLINE = 600
DISK = 256 << 20


def throwaway(artifacts: Artifacts, folder: Path, **more: Any) -> VmConfig:
    """A node of its own with an empty data disk, a free port, and an end at its deadline."""
    more.setdefault("deadline", DEADLINE)
    return VmConfig(artifacts=artifacts, folder=folder, port="auto", throwaway=True, reboots=False, **more)


def throwaway_cluster(artifacts: Artifacts, folder: Path, **more: Any) -> ClusterSpec:
    """Nodes of their own without Kubernetes, on a network of their own, that end at their deadline."""
    more.setdefault("deadline", DEADLINE)
    return ClusterSpec(artifacts=artifacts, folder=folder / "nodes", throwaway=True, **more)


def halt_message(vm: Vm, timeout: float = 120) -> str:
    """What the box on the console of a halted node says, as one line: it is wrapped there."""
    box = vm.console.wait_for(r"THIS NODE IS HALTED(.|\n)*?the power button\.", timeout, vm.alive)[0]
    return " ".join(re.sub(r"\|\n\[[ .\d]+\] \|", " ", box).split())


def checksum(path: Path) -> str:
    """sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def foreign_ext4(path: Path) -> None:
    """Somebody's own ext4 disk."""
    make_sparse(path, DISK)
    subprocess.run(["/sbin/mke2fs", "-q", "-t", "ext4", "-L", "photographs", str(path)], check=True)


def foreign_xfs(path: Path) -> None:
    """As much of an XFS superblock as every tool knows it by."""
    make_sparse(path, DISK)
    with path.open("r+b") as file:
        file.write(struct.pack(">4sIQQQ16s", b"XFSB", 4096, DISK // 4096, 0, 0, b"photographs-uuid"))


def foreign_swap(path: Path) -> None:
    """A swap area, whose mark stands at the end of its first page."""
    make_sparse(path, DISK)
    with path.open("r+b") as file:
        file.seek(4096 - 10)
        file.write(b"SWAPSPACE2")


def foreign_partitions(path: Path) -> None:
    """A disk with an MBR and one Linux partition."""
    make_sparse(path, DISK)
    with path.open("r+b") as file:
        file.seek(446)
        file.write(struct.pack("<B3sB3sII", 0, b"\0\2\0", 0x83, b"\0\0\0", 2048, DISK // 512 - 2048))
        file.seek(510)
        file.write(b"\x55\xaa")


def terminator() -> bytes:
    """A static x86-64 program that sends SIGTERM to process 1 and ends with 0: the node has no `kill`."""
    code = bytes.fromhex(
        "b83e000000"  # mov eax, 62 (kill)
        "bf01000000"  # mov edi, 1
        "be0f000000"  # mov esi, 15 (SIGTERM)
        "0f05"  # syscall
        "31ff"  # xor edi, edi
        "b83c000000"  # mov eax, 60 (exit)
        "0f05"  # syscall
    )
    base, headers = 0x400000, 64 + 56
    size = headers + len(code)
    header = struct.pack(
        "<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 2, 62, 1, base + headers, 64, 0, 0, 64, 56, 1, 0, 0, 0
    )
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 4096)
    return header + segment + code
