"""Programs of Debian 13 that run on this machine, whatever its release: by their own loader and libraries.

A tool is its package and the packages its shared libraries come from, unpacked side by side into the cache;
nothing is installed. To add one: name it in TOOLS; `readelf -d` says which libraries it needs, `dpkg -S` of
which package they are.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple

from driver.apt import Apt
from driver.cache import Cache, digest
from driver.errors import TholeError

SUITE = "trixie"
_LOADER = "usr/lib64/ld-linux-x86-64.so.2"
_LIBRARIES = "usr/lib/x86_64-linux-gnu"


class Tool(NamedTuple):
    """A program: the package it is in, its path in there, and the packages of its libraries."""

    package: str
    program: str
    libraries: tuple[str, ...]


_EROFS_LIBRARIES = (
    "libc6",
    "libdeflate0",
    "liblz4-1",
    "liblzma5",
    "libpcre2-8-0",
    "libselinux1",
    "libuuid1",
    "libxxhash0",
    "libzstd1",
    "zlib1g",
)
TOOLS = {
    "mkfs.erofs": Tool("erofs-utils", "usr/bin/mkfs.erofs", _EROFS_LIBRARIES),
    "fsck.erofs": Tool("erofs-utils", "usr/bin/fsck.erofs", _EROFS_LIBRARIES),
    "dump.erofs": Tool("erofs-utils", "usr/bin/dump.erofs", _EROFS_LIBRARIES),
}


def tool(name: str) -> list[str]:
    """argv prefix that runs the Debian 13 program `name` here; fetched and unpacked the first time."""
    if name not in TOOLS:
        raise TholeError(f"driver/host_tools.py has no tool {name}", f"it has {', '.join(sorted(TOOLS))}")
    root = _unpacked(TOOLS[name])
    return [str(root / _LOADER), "--library-path", str(root / _LIBRARIES), str(root / TOOLS[name].program)]


def version(name: str) -> str:
    """The version of the package of a tool: part of the key of whatever is made with it."""
    return Apt(SUITE).version(TOOLS[name].package)


def _unpacked(chosen: Tool) -> Path:
    """The cache entry with the tool and its libraries, keyed by the packages' contents."""
    cache = Cache()
    packages = Apt(SUITE, cache=cache).download([chosen.package, *chosen.libraries])

    def make(directory: Path) -> None:
        for package in packages.values():
            unpack(package, directory)
        # Debian 12's libc6 has the loader in /lib64, which is a link to /usr/lib64 only on a merged system.
        _check(directory, chosen)

    return cache.entry("host-tools", digest("1", *(path.name for path in packages.values())), make)


def unpack(package: Path, directory: Path) -> None:
    """Unpack the files of a .deb into a directory."""
    result = subprocess.run(
        ["dpkg-deb", "--extract", package, directory], capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        raise TholeError(
            f"{package.name} does not unpack: {result.stderr.strip()}", "./thole clean --cache, then repeat"
        )


def _check(directory: Path, chosen: Tool) -> None:
    """Refuse an entry whose program does not find its libraries, naming them."""
    loader = directory / _LOADER
    command = [loader, "--library-path", directory / _LIBRARIES, "--list", directory / chosen.program]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    missing = [line.split()[0] for line in result.stdout.splitlines() if "not found" in line]
    if result.returncode != 0 or missing:
        raise TholeError(
            f"{chosen.program} of Debian {SUITE} does not run: {', '.join(missing) or result.stderr.strip()}",
            "name the package of the missing library in driver/host_tools.py",
        )
