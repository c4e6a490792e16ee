"""Makes the checkout importable and offers small ELF files."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT))


def make_elf(needed=(), soname="", interpreter="", machine=62, run_path="", dynamic=None) -> bytes:
    """A file with the tables of a shared library or program, and nothing else in it."""
    strings, tags = bytearray(b"\0"), []

    def string(text: str) -> int:
        strings.extend(text.encode() + b"\0")
        return len(strings) - len(text) - 1

    tags += [(1, string(name)) for name in needed]
    tags += [(14, string(soname))] if soname else []
    tags += [(29, string(run_path))] if run_path else []
    count = 3
    strings_at = 64 + 56 * count
    interpreter_at = strings_at + len(strings)
    dynamic_at = interpreter_at + len(interpreter) + 1
    tags += [(5, strings_at), (10, len(strings)), (0, 0)]
    is_dynamic = bool(needed or soname) if dynamic is None else dynamic
    section = b"".join(struct.pack("<qQ", *tag) for tag in tags) if is_dynamic else b""
    total = dynamic_at + len(section)

    def segment(kind: int, offset: int, size: int) -> bytes:
        return struct.pack("<IIQQQQQQ", kind, 5, offset, offset, offset, size, size, 8)

    head = struct.pack(
        "<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 3, machine, 1, 0, 64, 0, 0, 64, 56, count, 0, 0, 0
    )
    segments = segment(1, 0, total)
    segments += segment(3 if interpreter else 0, interpreter_at, len(interpreter) + 1)
    segments += segment(2 if is_dynamic else 0, dynamic_at, len(section))
    return head + segments + bytes(strings) + interpreter.encode() + b"\0" + section


@pytest.fixture
def elf_file():
    """make_elf as a fixture."""
    return make_elf


@pytest.fixture
def checkout() -> Path:
    """The checkout under test."""
    return CHECKOUT
