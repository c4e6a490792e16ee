"""Every write that a VM made to a disk, in order, and the disk as a power cut at any of them leaves it.

The log is QEMU's (`-blockdev driver=blklogwrites`), in the format of the kernel's dm-log-writes
(Documentation/admin-guide/device-mapper/log-writes.rst): a sector with a superblock, then for each entry a sector with
its header, and the data that was written. All numbers are little-endian.

A disk may lose what it was given after the last flush that it has answered, and any part of it. So what a power cut
leaves is everything up to that flush, and a subset of the writes after it.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from driver.errors import TholeError

SECTOR = 512  # of the numbers in entries, whatever the log's own sector size
MAGIC = 0x6A736677736872
VERSION = 1
BLOCK = 1 << 20
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8
_SUPERBLOCK = struct.Struct("<QQQI")
_ENTRY = struct.Struct("<QQQQ")


class WriteLogError(TholeError):
    """A log that is none, or is cut short."""


class Entry(NamedTuple):
    """One request to the disk, in bytes; `data_at` is where in the log its data stands."""

    offset: int
    size: int
    flags: int
    data_at: int

    @property
    def writes(self) -> bool:
        """Whether it changes the disk: a flush without data and a mark do not."""
        return self.size > 0 and not self.flags & MARK

    @property
    def settles(self) -> bool:
        """Whether everything before it is on the medium when it is answered."""
        return bool(self.flags & FLUSH)


class WriteLog:
    """A log as it lies in a file. Open for as long as it is used by `with`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO = path.open("rb")
        self.entries = list(self._read())

    def durable(self, count: int) -> int:
        """Of the first `count` entries, how many a power cut cannot take back: those up to the last flush."""
        return max((index + 1 for index in range(count) if self.entries[index].settles), default=0)

    def replay(
        self, disk: Path, numbers: Iterable[int], keep: Callable[[], bool] = lambda: True, block: int = BLOCK
    ) -> None:
        """Make the requests of these numbers, in this order, on an image: those blocks that `keep` lets pass."""
        with disk.open("r+b") as image:
            for number in numbers:
                entry = self.entries[number]
                for at in range(0, entry.size if entry.writes else 0, block):
                    if keep():
                        self._apply(image, entry, at, min(block, entry.size - at))

    def _apply(self, image: BinaryIO, entry: Entry, at: int, size: int) -> None:
        image.seek(entry.offset + at)
        if entry.flags & DISCARD:
            image.write(bytes(size))
            return
        self._file.seek(entry.data_at + at)
        image.write(self._file.read(size))

    def _read(self) -> Iterator[Entry]:
        """The entries. The superblock counts them when QEMU has ended or flushed; so it is only a lower bound."""
        end = os.fstat(self._file.fileno()).st_size
        block = self._file.read(_SUPERBLOCK.size)
        if len(block) < _SUPERBLOCK.size or _SUPERBLOCK.unpack(block)[0] != MAGIC:
            raise WriteLogError(f"{self.path} is no log of writes: its first bytes are {block[:8].hex() or 'missing'}")
        _, version, promised, sector = _SUPERBLOCK.unpack(block)
        if version != VERSION or sector < SECTOR or sector & (sector - 1):
            raise WriteLogError(f"the log {self.path} has version {version} and sectors of {sector} bytes")
        at, count = sector, 0
        while count < promised:
            self._file.seek(at)
            head = self._file.read(_ENTRY.size)
            first, sectors, flags, extra = _ENTRY.unpack(head) if len(head) == _ENTRY.size else (0, 0, 0, end)
            size = sectors * sector
            data = 0 if flags & DISCARD else size
            if at + sector + data + extra > end:
                raise WriteLogError(f"the log {self.path} is cut short: entry {count} of {promised} is not whole")
            yield Entry(first * sector, size, flags, at + sector)
            at += sector + data + -(-extra // sector) * sector
            count += 1

    def __enter__(self) -> WriteLog:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
