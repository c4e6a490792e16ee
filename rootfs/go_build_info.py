"""The modules that a Go program was built of, from the program itself (Go's package debug/buildinfo)."""

from __future__ import annotations

from typing import NamedTuple

_MAGIC = b"\xff Go buildinf:"
_INLINE = 2  # the flag: the texts stand behind the header
_HEADER = 32
# Texts of the linker around the list of modules.
_SENTINEL = 16


class GoModule(NamedTuple):
    """A module with its version; what replaces another is what counts."""

    path: str
    version: str

    @property
    def name(self) -> str:
        """path@version."""
        return f"{self.path}@{self.version}"


class GoProgram(NamedTuple):
    """What a program says about itself."""

    go: str
    modules: list[GoModule]


def read(program: bytes) -> GoProgram | None:
    """None for what is no Go program, or one without the list."""
    start = program.find(_MAGIC)
    # The header lies at a multiple of 16; the text itself is part of programs that look for it.
    while start >= 0 and (start % 16 or not program[start + 15] & _INLINE):
        start = program.find(_MAGIC, start + 1)
    if start < 0:
        return None
    go, behind = _text(program, start + _HEADER)
    listed, _ = _text(program, behind)
    lines = listed[_SENTINEL:-_SENTINEL].decode(errors="replace").splitlines()
    return GoProgram(go.decode(), _modules(lines))


def _modules(lines: list[str]) -> list[GoModule]:
    found: list[GoModule] = []
    for line in lines:
        words = line.split("\t")
        if words[0] == "dep" and len(words) > 2:
            found.append(GoModule(words[1], words[2]))
        elif words[0] == "=>" and len(words) > 2 and found:
            # A replacement by a folder (its version is none, or "(devel)") is a changed copy: what it stands in for counts.
            found[-1] = found[-1] if words[1].startswith((".", "/")) else GoModule(words[1], words[2])
    return found


def _text(data: bytes, at: int) -> tuple[bytes, int]:
    """A text behind its length (a varint of encoding/binary), and where the next begins."""
    size = shift = 0
    while True:
        byte = data[at]
        at += 1
        size |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return data[at : at + size], at + size
