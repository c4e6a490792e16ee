"""What an erofs image says of itself: enough to refuse one that is cut short or damaged at its head."""

from __future__ import annotations

import struct
from pathlib import Path

from driver.errors import TholeError

_OFFSET = 1024
_MAGIC = 0xE0F5E1E2
_HAS_CHECKSUM = 1
_REBUILD = "build it again: ./thole build root"


def check(path: Path) -> int:
    """The size in bytes that the image has to have and has; an error where it is no whole erofs image."""
    if not path.is_file():
        raise TholeError(f"there is no root image {path}", _REBUILD)
    size = path.stat().st_size
    with open(path, "rb") as stream:
        block = stream.read(4096)
    if len(block) < _OFFSET + 128:
        raise TholeError(f"{path} is cut short: it has {size} bytes", _REBUILD)
    magic, checksum, features, bits = struct.unpack_from("<IIIB", block, _OFFSET)
    if magic != _MAGIC:
        raise TholeError(f"{path} is no erofs image", _REBUILD)
    (blocks,) = struct.unpack_from("<I", block, _OFFSET + 36)
    expected = blocks << bits
    if size < expected:
        raise TholeError(f"{path} is cut short: it has {size} bytes of {expected}", _REBUILD)
    head = block[_OFFSET : _OFFSET + 4] + bytes(4) + block[_OFFSET + 8 :]
    if features & _HAS_CHECKSUM and bits == 12 and crc32c(head) != checksum:
        raise TholeError(f"the checksum of {path}'s superblock is wrong", _REBUILD)
    return expected


def crc32c(data: bytes) -> int:
    """CRC-32C as erofs uses it: seeded with all ones, not inverted at the end."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc
