"""What went over a switch, as a pcap file: written by the switch, read by tests and by any other tool."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from driver.errors import TholeError
from qemu.cluster.frames import split

# The classic format: https://ietf-opsawg-wg.github.io/draft-ietf-opsawg-pcap/draft-ietf-opsawg-pcap.html
MAGIC, ETHERNET, SNAP = 0xA1B2C3D4, 1, 262144
_FILE = struct.Struct("<IHHiIII")
_RECORD = struct.Struct("<IIII")


class Captured(NamedTuple):
    """One frame and when the switch got it, in seconds since 1970."""

    time: float
    frame: bytes


class Writer:
    """A pcap file that grows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.frames = 0
        self._file = path.open("wb", buffering=1 << 18)
        self._file.write(_FILE.pack(MAGIC, 2, 4, 0, 0, SNAP, ETHERNET))

    def add(self, run: memoryview | bytes) -> None:
        """Add wrapped frames, as they came over a stream."""
        now = time.time()
        seconds = int(now)
        micro = int((now - seconds) * 1_000_000)
        for frame in split(run):
            self._file.write(_RECORD.pack(seconds, micro, len(frame), len(frame)))
            self._file.write(frame)
            self.frames += 1

    def flush(self) -> None:
        """Have all of it in the file."""
        self._file.flush()

    def close(self) -> None:
        """End the file."""
        self._file.close()


def read(path: Path) -> Iterator[Captured]:
    """The frames of a pcap file as the switch writes it."""
    with path.open("rb") as file:
        start = file.read(_FILE.size)
        if len(start) < _FILE.size or _FILE.unpack(start)[0] != MAGIC:
            raise TholeError(f"{path} is no pcap file of this switch")
        while len(header := file.read(_RECORD.size)) == _RECORD.size:
            seconds, micro, length, _ = _RECORD.unpack(header)
            yield Captured(seconds + micro / 1_000_000, file.read(length))
