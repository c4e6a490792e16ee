"""GUID partition tables, written and read in plain Python."""

from __future__ import annotations

import struct
import uuid
import zlib
from dataclasses import dataclass
from typing import BinaryIO

SECTOR = 512
ALIGNMENT = (1 << 20) // SECTOR
ENTRIES = 128
_ENTRY = struct.Struct("<16s16sQQQ72s")
_HEADER = struct.Struct("<8sIIIIQQQQ16sQIII")
_SIGNATURE = b"EFI PART"
_REVISION = 0x00010000
_TABLE_SECTORS = ENTRIES * _ENTRY.size // SECTOR
FIRST_USABLE = 2 + _TABLE_SECTORS
# Sectors after the last usable one: the second table and the second header.
TAIL = _TABLE_SECTORS + 1

# Types of the Discoverable Partitions Specification and of UEFI.
ROOT_TYPES = {
    "amd64": uuid.UUID("4f68bce3-e8cd-4db1-96e7-fbcaf984b709"),
    "arm64": uuid.UUID("b921b045-1df0-41c3-af44-4c6f280d3fae"),
}
ESP_TYPE = uuid.UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
LINUX_TYPE = uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4")
# Of a partition: a BIOS' boot code starts it.
BIOS_BOOTABLE = 1 << 2
BOOT_CODE = 440  # bytes of the first sector that are a BIOS' to run
_NAMESPACE = uuid.UUID("7468c3a1-0000-5000-8000-000000000000")


@dataclass(frozen=True)
class Partition:
    """One entry: slot `number` from 1, sectors `first` to `last` inclusive."""

    number: int
    name: str
    type: uuid.UUID
    first: int
    last: int
    guid: uuid.UUID
    attributes: int = 0


def fixed_guid(name: str) -> uuid.UUID:
    """The same GUID for the same name on every machine, so that images are reproducible."""
    return uuid.uuid5(_NAMESPACE, name)


def aligned(sector: int) -> int:
    """The next sector that begins a MiB."""
    return -(-sector // ALIGNMENT) * ALIGNMENT


def write(
    stream: BinaryIO, sectors: int, disk: uuid.UUID, partitions: list[Partition], boot_code: bytes = b""
) -> None:
    """Write the protective MBR and both tables; nothing between them is touched."""
    check(sectors, partitions)
    table = bytearray(ENTRIES * _ENTRY.size)
    for one in partitions:
        name = one.name.encode("utf-16-le")
        _ENTRY.pack_into(
            table,
            (one.number - 1) * _ENTRY.size,
            one.type.bytes_le,
            one.guid.bytes_le,
            one.first,
            one.last,
            one.attributes,
            name,
        )
    stream.seek(0)
    stream.write(_protective_mbr(sectors, boot_code))
    stream.write(_header(1, sectors - 1, 2, sectors, disk, bytes(table)))
    stream.write(table)
    stream.seek((sectors - TAIL) * SECTOR)
    stream.write(table)
    stream.write(_header(sectors - 1, 1, sectors - TAIL, sectors, disk, bytes(table)))


def check(sectors: int, partitions: list[Partition]) -> None:
    """ValueError where partitions overlap, leave the disk, or have bad numbers or names."""
    end, numbers = FIRST_USABLE, set()
    for one in sorted(partitions, key=lambda item: item.first):
        if one.first < end or one.last < one.first or one.last > sectors - TAIL - 1:
            raise ValueError(
                f"partition {one.name} at sectors {one.first}-{one.last} overlaps another or leaves the disk"
            )
        if not 1 <= one.number <= ENTRIES or one.number in numbers:
            raise ValueError(
                f"partition {one.name} has the number {one.number}, which is taken or out of range"
            )
        if len(one.name.encode("utf-16-le")) > 72:
            raise ValueError(f"the name {one.name} is longer than 36 characters")
        numbers.add(one.number)
        end = one.last + 1


def _protective_mbr(sectors: int, boot_code: bytes) -> bytes:
    """An MBR whose one entry, of type 0xee, covers the disk, so that old tools keep their hands off."""
    entry = struct.pack(
        "<B3sB3sII", 0, b"\x00\x02\x00", 0xEE, b"\xff\xff\xff", 1, min(sectors - 1, 0xFFFFFFFF)
    )
    if len(boot_code) > BOOT_CODE:
        raise ValueError(f"the boot code has {len(boot_code)} bytes, there is room for {BOOT_CODE}")
    return boot_code.ljust(446, b"\0") + entry + bytes(48) + b"\x55\xaa"


def _header(here: int, other: int, table_at: int, sectors: int, disk: uuid.UUID, table: bytes) -> bytes:
    def packed(checksum: int) -> bytes:
        return _HEADER.pack(
            _SIGNATURE,
            _REVISION,
            _HEADER.size,
            checksum,
            0,
            here,
            other,
            FIRST_USABLE,
            sectors - TAIL - 1,
            disk.bytes_le,
            table_at,
            ENTRIES,
            _ENTRY.size,
            zlib.crc32(table),
        )

    return packed(zlib.crc32(packed(0))).ljust(SECTOR, b"\0")


def read(stream: BinaryIO, sectors: int, backup: bool = False) -> tuple[uuid.UUID, list[Partition]]:
    """Disk GUID and partitions of the first or the backup table; ValueError where a checksum is wrong."""
    here = sectors - 1 if backup else 1
    stream.seek(here * SECTOR)
    raw = stream.read(SECTOR)
    fields = _HEADER.unpack_from(raw)
    signature, _, size, checksum, _, at, _, _, _, disk, table_at, count, entry_size, table_checksum = fields
    if signature != _SIGNATURE or at != here or size != _HEADER.size or entry_size != _ENTRY.size:
        raise ValueError(f"there is no partition table at sector {here}")
    if zlib.crc32(raw[:16] + bytes(4) + raw[20:size]) != checksum:
        raise ValueError(f"the checksum of the table header at sector {here} is wrong")
    stream.seek(table_at * SECTOR)
    table = stream.read(count * entry_size)
    if zlib.crc32(table) != table_checksum:
        raise ValueError(f"the checksum of the table at sector {table_at} is wrong")
    found = []
    for number, (kind, guid, first, last, attributes, name) in enumerate(_ENTRY.iter_unpack(table), 1):
        if any(kind):
            text = name.decode("utf-16-le").rstrip("\0")
            found.append(
                Partition(number, text, uuid.UUID(bytes_le=kind), first, last, uuid.UUID(bytes_le=guid), attributes)
            )
    return uuid.UUID(bytes_le=disk), found
