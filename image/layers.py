"""Splits a root file system into layers by how often they change, so that a new version transfers little."""

from __future__ import annotations

import gzip
import hashlib
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from driver.errors import TholeError

PACKAGES, PROGRAMS, NODE = "Debian's packages", "Kubernetes and other large programs", "the node itself"
ORDER = (PACKAGES, PROGRAMS, NODE)
# Of services only what is built is large; units and templates change with the node.
LARGE = 1 << 20
_LEVEL = 6


@dataclass(frozen=True)
class Layer:
    """A compressed layer: its file, what it holds, and the sums of it and of its tar."""

    path: Path
    what: str
    digest: str
    diff_id: str
    size: int


class _Summed:
    """A file that counts and sums what is written through it."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._sum = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        self._sum.update(data)
        self.size += len(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> str:
        self._file.close()
        return self._sum.hexdigest()


class _TarSum:
    """Compresses a tar, and sums it as it was before. tarfile only writes to it."""

    def __init__(self, target: _Summed) -> None:
        # No name and no time in it: the same content gives the same bytes.
        self._gzip = gzip.GzipFile(filename="", mode="wb", fileobj=target, compresslevel=_LEVEL, mtime=0)
        self._sum = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self._sum.update(data)
        return self._gzip.write(data)

    def close(self) -> str:
        self._gzip.close()
        return self._sum.hexdigest()


def origins(manifest: Path) -> dict[str, str]:
    """Where each path of the root comes from, as rootfs/compose.py wrote it down."""
    return {one["path"].lstrip("/"): one["origin"] for one in json.loads(manifest.read_text())["files"]}


def layer_of(member: tarfile.TarInfo, origin: str) -> str:
    """Which layer a path goes into. Folders are in the first; others repeat those that they need."""
    if member.isdir() or origin.startswith("package "):
        return PACKAGES
    if origin.startswith("service ") and member.size >= LARGE:
        return PROGRAMS
    return NODE


def clean(name: str) -> str:
    """A path of the tar without what stands before it."""
    return name.removeprefix("./").strip("/")


def assigned(root: tarfile.TarFile, origin: dict[str, str]) -> Iterator[tuple[tarfile.TarInfo, str]]:
    """Every member with its layer; a path that the manifest does not know is an error."""
    for member in root:
        path = clean(member.name)
        if path in ("", "."):
            continue
        if path not in origin and not member.isdir():
            raise TholeError(f"{path} is in the root file system, but not in its manifest", "build it again")
        yield member, layer_of(member, origin.get(path, "composer"))


def write_layer(root: Path, origin: dict[str, str], what: str, target: Path) -> Layer:
    """The layer of that name out of the whole root, with the folders above what is in it."""
    file = _Summed(target)
    stream = _TarSum(file)
    folders: dict[str, tarfile.TarInfo] = {}
    written: set[str] = set()
    with tarfile.open(root) as source, tarfile.open(fileobj=stream, mode="w|", format=tarfile.GNU_FORMAT) as out:
        for member, layer in assigned(source, origin):
            if member.isdir():
                folders[clean(member.name)] = member
            if layer != what:
                continue
            for folder in parents(clean(member.name)):
                if folder not in written and folder in folders:
                    written.add(folder)
                    out.addfile(renamed(folders[folder]))
            if clean(member.name) not in written:
                written.add(clean(member.name))
                out.addfile(renamed(member), source.extractfile(member) if member.isreg() else None)
    diff_id = stream.close()
    digest = file.close()
    return Layer(target, what, digest, diff_id, file.size)


def renamed(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """With its path as layers have it."""
    member.name = clean(member.name)
    if member.islnk():
        member.linkname = clean(member.linkname)
    return member


def parents(path: str) -> list[str]:
    """The folders above a path, outermost first."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]
