"""Writes an image to a device and reads it back."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from driver.errors import TholeError

CHUNK = 4 << 20
Say = Callable[[str, int, int], None]  # what is done, bytes done, bytes in all


def write(image: Path, device: int, say: Say) -> str:
    """Copy the image to the open device, to the medium; its sha256."""
    total = image.stat().st_size
    summed, done = hashlib.sha256(), 0
    with image.open("rb") as source:
        while chunk := source.read(CHUNK):
            summed.update(chunk)
            _write_all(device, chunk)
            done += len(chunk)
            say("writing", done, total)
    os.fsync(device)
    return summed.hexdigest()


def check(device: int, size: int, wanted: str, say: Say) -> None:
    """Read so many bytes back from the medium, not from memory; TholeError where they are others."""
    os.posix_fadvise(device, 0, size, os.POSIX_FADV_DONTNEED)
    os.lseek(device, 0, os.SEEK_SET)
    summed, done = hashlib.sha256(), 0
    while done < size:
        chunk = os.read(device, min(CHUNK, size - done))
        if not chunk:
            break
        summed.update(chunk)
        done += len(chunk)
        say("checking", done, size)
    if summed.hexdigest() != wanted:
        raise TholeError(
            "what was read back is not what was written: the disk, its cable or its adapter is faulty",
            "try again, then another disk",
        )


def _write_all(device: int, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[os.write(device, view) :]
