"""Shared libraries out of Debian's packages, for programs that tests bring onto a node's data disk."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from pathlib import Path

from driver.errors import TholeError
from rootfs import deb, elf

FOLDERS = ("usr/lib/x86_64-linux-gnu", "usr/lib/ganesha")
# The C library, which is the node's: each release of glibc fits only its own loader.
OF_THE_NODE = ("libc.so.6", "libm.so.6", "libresolv.so.2", "ld-linux-x86-64.so.2")


def found(packages: Iterable[Path]) -> dict[str, bytes]:
    """All shared libraries of the packages by every name that they have, links followed."""
    files: dict[str, bytes] = {}
    links: dict[str, str] = {}
    for package in packages:
        for member in deb.members(package):
            if posixpath.dirname(member.path).startswith(FOLDERS) and ".so" in member.path:
                if member.data is None:
                    links.setdefault(posixpath.basename(member.path), posixpath.basename(member.target))
                else:
                    files[posixpath.basename(member.path)] = member.data
    for name in links:
        target = name
        while target in links and target not in files:
            target = links[target]
        if target in files:
            files.setdefault(name, files[target])
    return files


def put_needed(name: str, having: dict[str, bytes], folder: Path, module: str) -> None:
    """Write a library and all that the loader asks for after it into a new folder; `module` names the packages."""
    folder.mkdir()
    taken: set[str] = set()
    pending = [(name, "the program")]
    while pending:
        name, wanted_by = pending.pop()
        if name in taken or name in OF_THE_NODE:
            continue
        if name not in having:
            raise TholeError(f"{wanted_by} needs {name}", f"add the package that has it to PACKAGES in {module}")
        taken.add(name)
        data = having[name]
        (folder / name).write_bytes(data)
        (folder / name).chmod(0o755)
        parsed = elf.parse(lambda offset, size, data=data: data[offset : offset + size])
        pending += [(one, name) for one in parsed.needed]
