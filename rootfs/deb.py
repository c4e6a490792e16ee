"""Debian packages as data: entries of a .deb without dpkg, without root, without maintainer scripts."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from driver.errors import TholeError

_MAGIC = b"!<arch>\n"
_HEADER = 60
_SUFFIXES = ("", ".gz", ".xz", ".bz2")


class Member(NamedTuple):
    """A path of a package; `data` is a file's contents, `target` a link's."""

    path: str
    mode: int
    uid: int
    gid: int
    data: bytes | None
    target: str


def members(package: Path) -> Iterator[Member]:
    """Files and symbolic links of a package, hard links as files of their own; directories are left out."""
    archive = io.BytesIO(_data(package))
    try:
        with tarfile.open(fileobj=archive, mode="r:*") as data:
            for info in data:
                if info.issym():
                    yield Member(_clean(info.name), 0o777, 0, 0, None, info.linkname)
                elif info.isfile() or info.islnk():
                    contents = data.extractfile(info).read()
                    yield Member(_clean(info.name), info.mode & 0o777, info.uid, info.gid, contents, "")
    except (tarfile.TarError, EOFError, OSError) as error:
        raise TholeError(
            f"{package.name} is damaged: {error}", "./thole clean --cache, then repeat"
        ) from error


def _clean(name: str) -> str:
    return name.removeprefix("./").strip("/")


def _data(package: Path) -> bytes:
    """The data.tar member of the ar archive that a .deb is."""
    with open(package, "rb") as stream:
        if stream.read(len(_MAGIC)) != _MAGIC:
            raise TholeError(f"{package} is no Debian package", "./thole clean --cache, then repeat")
        while True:
            header = stream.read(_HEADER)
            if len(header) < _HEADER:
                raise TholeError(f"{package.name} has no data.tar", "./thole clean --cache, then repeat")
            name = header[:16].decode("ascii", "replace").strip().rstrip("/")
            size = int(header[48:58])
            if name.startswith("data.tar"):
                if name.removeprefix("data.tar") not in _SUFFIXES:
                    raise TholeError(
                        f"{package.name} is compressed as {name}, which Python cannot read",
                        "use a package of Debian itself, they are .xz",
                    )
                data = stream.read(size)
                if len(data) < size:
                    raise TholeError(f"{package.name} is cut short", "./thole clean --cache, then repeat")
                return data
            stream.seek(size + size % 2, 1)
