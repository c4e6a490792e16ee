"""The root file system as the build archived it: what a check compares a running node with."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from driver.errors import TholeError


class Member(NamedTuple):
    """A file or link of the archive, without a leading slash."""

    path: str
    executable: bool


def members(archive: Path) -> Iterator[Member]:
    """Every file and link; a link counts as executable, because its name can be run."""
    with tarfile.open(archive) as tar:
        for one in tar:
            if not one.isdir():
                yield Member(
                    one.name.removeprefix("./").lstrip("/"), not one.isfile() or bool(one.mode & 0o111)
                )


def read_member(archive: Path, path: str) -> bytes:
    """The content of one file."""
    with tarfile.open(archive) as tar:
        for one in tar:
            if one.name.removeprefix("./").lstrip("/") == path:
                file = tar.extractfile(one)
                if file:
                    return file.read()
    raise TholeError(f"{archive} holds no file {path}")
