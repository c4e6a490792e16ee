"""Disk images as files of this machine: is one complete, and did its file systems end in order."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import zlib
from pathlib import Path
from typing import NamedTuple

from driver.errors import TholeError

SECTOR = 512
GPT_SIGNATURE = b"EFI PART"
EROFS_MAGIC = 0xE0F5E1E2
EXT4_MAGIC = 0xEF53
EXT4_VALID, EXT4_ERRORS = 0x1, 0x2
EXT4_NEEDS_RECOVERY = 0x4
REBUILD = "build it again: ./thole build"


class ImageError(TholeError):
    """An image that cannot be what it should be."""


class Partition(NamedTuple):
    """One entry of a GPT, in bytes."""

    label: str
    start: int
    size: int


def require(path: Path, what: str) -> None:
    """The file must be there and hold something."""
    if not path.is_file():
        raise ImageError(f"the {what} {path} is not there", REBUILD)
    if path.stat().st_size == 0:
        raise ImageError(f"the {what} {path} is empty", REBUILD)


def check_kernel(path: Path) -> None:
    """The kernel must be an ELF file whose segments all lie inside it (a PVH vmlinux)."""
    require(path, "kernel")
    size = path.stat().st_size
    with path.open("rb") as file:
        header = file.read(64)
        if len(header) < 64 or header[:4] != b"\x7fELF":
            raise ImageError(f"the kernel {path} is no ELF file", REBUILD)
        (offset,) = struct.unpack_from("<Q", header, 32)
        entry_size, count = struct.unpack_from("<HH", header, 54)
        file.seek(offset)
        table = file.read(entry_size * count)
    if len(table) < entry_size * count:
        raise ImageError(
            f"the kernel {path} is cut short: its program headers end after byte {size}", REBUILD
        )
    for index in range(count):
        (start,) = struct.unpack_from("<Q", table, index * entry_size + 8)
        (length,) = struct.unpack_from("<Q", table, index * entry_size + 32)
        if start + length > size:
            raise ImageError(
                f"the kernel {path} is cut short: it has {size} bytes, a segment ends at {start + length}",
                REBUILD,
            )


def read_gpt(path: Path) -> list[Partition]:
    """The partitions of a disk image; ImageError where the table is damaged or the file cut short."""
    require(path, "disk image")
    size = path.stat().st_size
    with path.open("rb") as file:
        header = read_header(file, SECTOR, path)
        (backup,) = struct.unpack_from("<Q", header, 32)
        if (backup + 1) * SECTOR > size:
            raise ImageError(
                f"the disk image {path} is cut short: it has {size} bytes, its partition table says"
                f" {(backup + 1) * SECTOR}", REBUILD,
            )  # fmt: skip
        read_header(file, backup * SECTOR, path)
        (table_at,) = struct.unpack_from("<Q", header, 72)
        count, entry_size, checksum = struct.unpack_from("<III", header, 80)
        file.seek(table_at * SECTOR)
        table = file.read(count * entry_size)
    if zlib.crc32(table) != checksum:
        raise ImageError(f"the partition table of {path} is damaged: its checksum is wrong", REBUILD)
    partitions = []
    for at in range(0, len(table), entry_size):
        first, last = struct.unpack_from("<QQ", table, at + 32)
        if table[at : at + 16] != bytes(16):
            label = table[at + 56 : at + 128].decode("utf-16-le").rstrip("\0")
            partitions.append(Partition(label, first * SECTOR, (last - first + 1) * SECTOR))
    return partitions


def read_header(file, offset: int, path: Path) -> bytes:
    """A GPT header with a right checksum."""
    file.seek(offset)
    sector = file.read(SECTOR)
    if sector[:8] != GPT_SIGNATURE:
        raise ImageError(f"the disk image {path} has no partition table at byte {offset}", REBUILD)
    length, checksum = struct.unpack_from("<II", sector, 12)
    plain = sector[:16] + bytes(4) + sector[20 : min(length, SECTOR)]
    if zlib.crc32(plain) != checksum:
        raise ImageError(
            f"the partition table of {path} is damaged: wrong checksum at byte {offset}", REBUILD
        )
    return sector


def check_disk(path: Path, root_label: str = "thole-root-a") -> None:
    """The disk image must be complete and hold a root file system that fits its partition."""
    partitions = {partition.label: partition for partition in read_gpt(path)}
    root = partitions.get(root_label)
    if root is None:
        raise ImageError(
            f"the disk image {path} has no partition {root_label}, only {sorted(partitions)}", REBUILD
        )
    with path.open("rb") as file:
        file.seek(root.start + 1024)
        block = file.read(128)
    (magic,) = struct.unpack_from("<I", block, 0)
    if magic != EROFS_MAGIC:
        raise ImageError(f"partition {root_label} of {path} holds no erofs (magic {magic:#x})", REBUILD)
    (blocks,) = struct.unpack_from("<I", block, 36)
    needed = blocks << block[12]
    if needed > root.size:
        raise ImageError(
            f"the root file system in {path} is cut short: {needed} bytes, and its partition has {root.size}",
            REBUILD,
        )


def ext4_offset(path: Path, label: str = "thole-data") -> int:
    """Where the data file system starts in a data disk: at once, or in the partition of that label."""
    with path.open("rb") as file:
        file.seek(1024 + 56)
        if file.read(2) == struct.pack("<H", EXT4_MAGIC):
            return 0
    for partition in read_gpt(path):
        if partition.label == label:
            return partition.start
    raise ImageError(f"the data disk {path} holds no ext4 file system")


def ext4_problem(path: Path) -> str:
    """Why the ext4 of a data disk is not cleanly unmounted; empty when it is."""
    offset = ext4_offset(path)
    with path.open("rb") as file:
        file.seek(offset + 1024)
        block = file.read(1024)
    magic, state = struct.unpack_from("<HH", block, 56)
    (incompatible,) = struct.unpack_from("<I", block, 96)
    if magic != EXT4_MAGIC:
        return f"no ext4 superblock at byte {offset + 1024}"
    if incompatible & EXT4_NEEDS_RECOVERY:
        return "its journal still has to be replayed: it was not unmounted"
    if state & EXT4_ERRORS:
        return "the kernel noted errors in it"
    return "" if state & EXT4_VALID else "it is not marked clean"


def check_ext4(path: Path) -> None:
    """The ext4 of a data disk must be unmounted, and e2fsck must find nothing to mend in it."""
    problem = ext4_problem(path)
    if problem:
        raise ImageError(f"the file system of {path} is not clean: {problem}")
    program = shutil.which("e2fsck") or "/sbin/e2fsck"
    done = subprocess.run(
        [program, "-fn", f"{path}?offset={ext4_offset(path)}"], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise ImageError(f"e2fsck -fn ends with {done.returncode} on {path}:\n{done.stdout}{done.stderr}")


def make_sparse(path: Path, size: int) -> None:
    """An empty disk of `size` bytes that takes no room yet."""
    with path.open("xb") as file:
        os.truncate(file.fileno(), size)
