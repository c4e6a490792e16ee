#!/usr/bin/env python3
"""Writes a GPT disk image whose first partition is the root file system.

disk.py --root build/root.erofs --out DIR [--slot-size 512M] [--disk-size 4G]
"""

from __future__ import annotations

import argparse
import errno
import os
import re
import shutil
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from driver.errors import TholeError, guard  # noqa: E402
from driver.progress import report  # noqa: E402
from image import erofs, gpt  # noqa: E402

MIB = 1 << 20
_UNITS = {"": 1, "K": 1 << 10, "M": MIB, "G": 1 << 30}


@dataclass(frozen=True)
class Slot:
    """A partition to be: `size` bytes at least, filled from `source` where there is one."""

    number: int
    name: str
    type: uuid.UUID
    size: int
    source: Path | None = None
    guid: uuid.UUID | None = None  # default: from its name
    attributes: int = 0


def slots(root: Path, root_size: int, slot_size: int, architecture: str) -> list[Slot]:
    """The partitions of an image; 2 (ESP), 3 (thole-root-b) and 4 (thole-data) are free for an installer."""
    return [Slot(1, "thole-root-a", gpt.ROOT_TYPES[architecture], max(root_size, slot_size), root)]


def layout(wanted: list[Slot], disk_size: int) -> tuple[int, list[gpt.Partition]]:
    """Sectors of the disk, and where each slot lies: one after the other, from and to whole MiB."""
    placed, free = [], gpt.aligned(gpt.FIRST_USABLE)
    for slot in wanted:
        end = gpt.aligned(free + -(-slot.size // gpt.SECTOR))
        placed.append(
            gpt.Partition(
                slot.number, slot.name, slot.type, free, end - 1, slot.guid or gpt.fixed_guid(slot.name), slot.attributes
            )
        )
        free = end
    smallest = gpt.aligned(free + gpt.TAIL)
    if disk_size and disk_size // gpt.SECTOR < smallest:
        raise TholeError(
            f"a disk of {disk_size} bytes is too small for {', '.join(slot.name for slot in wanted)}",
            f"give --disk-size {-(-smallest * gpt.SECTOR // MIB)}M or more",
        )
    return max(smallest, disk_size // gpt.SECTOR), placed


def write(path: Path, wanted: list[Slot], disk_size: int, boot_code: bytes = b"") -> None:
    """Write the image; it appears under its name only when it is whole. What is empty takes no room."""
    sectors, partitions = layout(wanted, disk_size)
    part = path.with_name(f".{path.name}.part")
    try:
        with open(part, "wb") as stream:
            stream.truncate(sectors * gpt.SECTOR)
            gpt.write(stream, sectors, gpt.fixed_guid("disk"), partitions, boot_code)
            for slot, partition in zip(wanted, partitions, strict=True):
                if slot.source:
                    fill(stream, partition.first * gpt.SECTOR, slot.source)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def fill(stream: BinaryIO, offset: int, source: Path) -> None:
    """Copy a file into the image: within the kernel, sharing blocks, where the file system can."""
    stream.flush()
    with open(source, "rb") as contents:
        left = os.fstat(contents.fileno()).st_size
        done = 0
        try:
            while done < left:
                copied = os.copy_file_range(
                    contents.fileno(), stream.fileno(), left - done, done, offset + done
                )
                if not copied:
                    raise TholeError(f"{source} became shorter while it was copied", "repeat the build")
                done += copied
        except OSError as error:
            if done or error.errno == errno.ENOSPC:
                raise
            stream.seek(offset)
            shutil.copyfileobj(contents, stream, MIB)


def size(text: str) -> int:
    """Bytes from a number with K, M or G behind it."""
    match = re.fullmatch(r"(\d+)([KMG]?)", text.upper())
    if not match:
        raise argparse.ArgumentTypeError(f"{text} is no size; write 512M or 4G")
    return int(match[1]) * _UNITS[match[2]]


def main() -> int:
    """Check the root image and write the disk image around it."""
    parser = argparse.ArgumentParser(description="Write a GPT disk image around a root image.")
    parser.add_argument("--root", required=True, type=Path, metavar="EROFS")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="NAME.img goes there")
    parser.add_argument("--name", default="disk", help="default: %(default)s")
    parser.add_argument("--arch", default="amd64", choices=sorted(gpt.ROOT_TYPES))
    parser.add_argument(
        "--slot-size", type=size, default=0, help="room for a root, e.g. 512M (default: what it needs)"
    )
    parser.add_argument(
        "--disk-size", type=size, default=0, help="size of the disk (default: what its partitions need)"
    )
    options = parser.parse_args()
    root_size = erofs.check(options.root)
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / f"{options.name}.img"
    write(path, slots(options.root, root_size, options.slot_size, options.arch), options.disk_size)
    report("disk", 1, 1, f"{path.stat().st_size // MIB} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(guard(main))
