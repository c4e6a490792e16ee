"""What the composer has to know of an ELF file: machine, interpreter, soname, needed libraries, run path."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

MAGIC = b"\x7fELF"
MACHINES = {"amd64": 62, "arm64": 183}
Reader = Callable[[int, int], bytes]
_PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_DT_NEEDED, _DT_STRTAB, _DT_STRSZ, _DT_SONAME, _DT_RPATH, _DT_RUNPATH = 1, 5, 10, 14, 15, 29
_HEADER = struct.Struct("<16sHHIQQQIHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_TAG = struct.Struct("<qQ")


@dataclass(frozen=True)
class Elf:
    """The facts of one file. A static executable has neither interpreter nor needed libraries."""

    machine: int
    interpreter: str = ""
    soname: str = ""
    needed: tuple[str, ...] = ()
    run_path: tuple[str, ...] = ()


def parse(read: Reader) -> Elf:
    """Read a 64-bit little-endian ELF file by `read(offset, size)`; ValueError where it is none or damaged.

    Only the tables are read, so a binary of 100 MB costs no more than a small one.
    """
    head = read(0, _HEADER.size)
    if head[:4] != MAGIC or head[4:6] != b"\x02\x01":
        raise ValueError("not a 64-bit little-endian ELF file")
    try:
        return _parse(head, read)
    except (struct.error, UnicodeDecodeError) as error:
        raise ValueError(f"damaged ELF file: {error}") from error


def _parse(head: bytes, read: Reader) -> Elf:
    _, _, machine, _, _, table, _, _, _, entry_size, count = _HEADER.unpack(head)
    loads: list[tuple[int, int, int]] = []
    interpreter, dynamic = "", b""
    for index in range(count):
        segment = _SEGMENT.unpack(read(table + index * entry_size, _SEGMENT.size))
        kind, _, offset, address, _, size, _, _ = segment
        if kind == _PT_LOAD:
            loads.append((address, offset, size))
        elif kind == _PT_INTERP:
            interpreter = read(offset, size).rstrip(b"\0").decode()
        elif kind == _PT_DYNAMIC:
            dynamic = read(offset, size)
    tags = list(_TAG.iter_unpack(dynamic[: len(dynamic) // _TAG.size * _TAG.size]))
    values = dict(tags)
    if _DT_STRTAB not in values:
        return Elf(machine, interpreter)
    strings = read(_file_offset(loads, values[_DT_STRTAB]), values.get(_DT_STRSZ, 0))

    def text(wanted: int) -> list[str]:
        return [_string(strings, value) for tag, value in tags if tag == wanted]

    run_path = [part for value in text(_DT_RPATH) + text(_DT_RUNPATH) for part in value.split(":") if part]
    return Elf(machine, interpreter, "".join(text(_DT_SONAME)), tuple(text(_DT_NEEDED)), tuple(run_path))


def _file_offset(loads: list[tuple[int, int, int]], address: int) -> int:
    for start, offset, size in loads:
        if start <= address < start + size:
            return address - start + offset
    raise ValueError("damaged ELF file: its string table is in no segment")


def _string(strings: bytes, offset: int) -> str:
    end = strings.find(b"\0", offset)
    if end < 0:
        raise ValueError("damaged ELF file: a name has no end")
    return strings[offset:end].decode()
