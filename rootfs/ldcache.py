"""/etc/ld.so.cache in glibc's present format ("glibc-ld.so.cache1.1"), written without running ldconfig.

ldconfig knows only its own architecture and wants an unpacked tree; the format is a header, a table of
24-byte entries sorted as the loader's binary search expects, and the strings.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterable
from typing import NamedTuple

_MAGIC = b"glibc-ld.so.cache1.1"
_HEADER = struct.Struct("<20sIIB3xI12x")
_ENTRY = struct.Struct("<iIIIQ")
_LITTLE_ENDIAN = 2
# FLAG_ELF_LIBC6 with the architecture's flag for 64-bit libraries.
FLAGS = {"amd64": 0x0303, "arm64": 0x0A03}


class Library(NamedTuple):
    """A shared library: the name that programs ask for and where it is on the node."""

    soname: str
    path: str


def compare(left: str, right: str) -> int:
    """The loader's order: runs of digits count as numbers, a digit comes after any other character."""
    i = j = 0
    while i < len(left):
        a, b = left[i], right[j] if j < len(right) else "\0"
        if a.isdigit() and b.isdigit():
            end_i, end_j = _digits(left, i), _digits(right, j)
            x, y = int(left[i:end_i]), int(right[j:end_j])
            if x != y:
                return x - y
            i, j = end_i, end_j
        elif a.isdigit() or b.isdigit():
            return 1 if a.isdigit() else -1
        elif a != b:
            return ord(a) - ord(b)
        else:
            i, j = i + 1, j + 1
    return 0 if j >= len(right) else -1


def _digits(text: str, start: int) -> int:
    end = start
    while end < len(text) and text[end].isdigit():
        end += 1
    return end


def build(libraries: Iterable[Library], architecture: str) -> bytes:
    """The cache file for these libraries."""
    order = functools.cmp_to_key(compare)
    found = sorted(set(libraries), key=lambda library: (order(library.soname), library.path), reverse=True)
    strings = bytearray()
    base = _HEADER.size + _ENTRY.size * len(found)
    table = bytearray()
    for library in found:
        key = base + len(strings)
        strings += library.soname.encode() + b"\0"
        value = base + len(strings)
        strings += library.path.encode() + b"\0"
        table += _ENTRY.pack(FLAGS[architecture], key, value, 0, 0)
    return _HEADER.pack(_MAGIC, len(found), len(strings), _LITTLE_ENDIAN, 0) + bytes(table) + bytes(strings)


def parse(cache: bytes) -> list[Library]:
    """The libraries of a cache file, in its order."""
    magic, count, _length, _flags, _extension = _HEADER.unpack_from(cache)
    if magic != _MAGIC:
        raise ValueError("not a glibc-ld.so.cache1.1 file")

    def string(offset: int) -> str:
        return cache[offset : cache.index(b"\0", offset)].decode()

    entries = (_ENTRY.unpack_from(cache, _HEADER.size + index * _ENTRY.size) for index in range(count))
    return [Library(string(key), string(value)) for _flags, key, value, _os, _hwcap in entries]
