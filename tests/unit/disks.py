"""Small disk images for tests, made by hand: a GPT with one partition."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

SECTOR = 512
ENTRIES, ENTRY = 128, 128
TABLE_SECTORS = ENTRIES * ENTRY // SECTOR
FIRST = 2048


def make_disk(
    path: Path, label: str = "thole-root-a", sectors: int = 16384, erofs_blocks: int = 1000
) -> None:
    """A disk of `sectors` with one partition from sector 2048, which holds the start of an erofs."""
    last = sectors - 1 - TABLE_SECTORS - 1
    name = label.encode("utf-16-le").ljust(72, b"\0")
    entry = struct.pack("<16s16sQQQ72s", b"type-of-the-part", b"id-of-partition!", FIRST, last, 0, name)
    table = entry.ljust(ENTRIES * ENTRY, b"\0")
    with path.open("wb") as file:
        file.truncate(sectors * SECTOR)
        for own, other, at in ((1, sectors - 1, 2), (sectors - 1, 1, sectors - 1 - TABLE_SECTORS)):
            file.seek(own * SECTOR)
            file.write(header(own, other, at, last, zlib.crc32(table)))
            file.seek(at * SECTOR)
            file.write(table)
        superblock = bytearray(128)
        struct.pack_into("<I", superblock, 0, 0xE0F5E1E2)
        superblock[12] = 12
        struct.pack_into("<I", superblock, 36, erofs_blocks)
        file.seek(FIRST * SECTOR + 1024)
        file.write(superblock)


def header(own: int, other: int, table: int, last: int, table_checksum: int) -> bytes:
    """A GPT header with its checksum."""

    def packed(checksum: int) -> bytes:
        return struct.pack(
            "<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, checksum, 0, own, other, FIRST, last,
            b"id-of-this-disk!", table, ENTRIES, ENTRY, table_checksum,
        )  # fmt: skip

    return packed(zlib.crc32(packed(0)))
