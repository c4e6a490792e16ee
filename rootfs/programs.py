"""The programs in a root, those in container images that come with it too."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from typing import NamedTuple

from rootfs.tree import FILE, Tree

_ELF = b"\x7fELF"
_TAR_MAGIC, _TAR_AT = b"ustar", 257


class Program(NamedTuple):
    """Where it lies, in an image behind its archive's path and a colon, and its bytes."""

    place: str
    content: bytes


def every(tree: Tree) -> Iterator[Program]:
    """All of them in the tree's order."""
    for entry in tree:
        if entry.kind != FILE:
            continue
        place = f"/{entry.path}"
        if entry.content.read(0, len(_ELF)) == _ELF:
            yield Program(place, entry.content.read())
        elif entry.path.endswith(".tar"):
            yield from _packed(place, entry.content.read())


def _packed(archive: str, content: bytes) -> Iterator[Program]:
    """Those in a tar; of an image's archive (OCI layout) in its layers, which are tars as well."""
    with tarfile.open(fileobj=io.BytesIO(content)) as opened:
        for member in opened:
            file = opened.extractfile(member) if member.isfile() else None
            inner = file.read() if file else b""
            if inner.startswith(_ELF):
                yield Program(f"{archive}:/{member.name.removeprefix('./').removeprefix('/')}", inner)
            elif inner[_TAR_AT : _TAR_AT + len(_TAR_MAGIC)] == _TAR_MAGIC:
                yield from _packed(archive, inner)
