"""What a measurement must know of a PID 1."""

from __future__ import annotations

import abc
import functools
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

from bench.space import SERVICE, Space
from driver.apt import Apt
from driver.cache import Cache, digest
from driver.errors import TholeError
from driver.host_tools import unpack
from rootfs import elf

SUITE = "trixie"
LIBC = "libc6"
_MERGED = ("bin", "sbin", "lib", "lib64")


class Peer(abc.ABC):
    """A supervisor that runs as PID 1. Subclasses say what is special about theirs."""

    name: str
    # Debian packages with its programs and the libraries that these load.
    packages: tuple[str, ...] = ()
    # Files of the tree that make up the supervisor: what it needs to run services.
    binaries: tuple[str, ...] = ()
    # Seconds that 1,000 services may take to start.
    patience: float = 60
    # Why figures of this peer cannot be compared with others', shown below the table.
    remark: str = ""
    # Seconds that a service must have run before its death makes an immediate restart possible.
    settle: float = 1.5
    # Seconds that a stop may take.
    stop_time: float = 30
    # Most rounds of starts and stops: fewer for the slow.
    rounds = 100

    @abc.abstractmethod
    def fill(self, space: Space, count: int) -> None:
        """Write the configuration of `count` services into a tree that has the packages' files already."""

    @property
    @abc.abstractmethod
    def command(self) -> list[str]:
        """argv of PID 1."""

    def request_stop(self, space: Space) -> None:
        """Ask for the end of all services."""
        os.kill(space.pid, signal.SIGTERM)

    def version(self) -> str:
        """The version of its first package."""
        return Apt(SUITE).version(self.packages[0])

    def make(self, count: int) -> Space:
        """A tree with this peer and its services."""
        space = Space(self.name.partition(" ")[0])
        try:
            if self.packages:
                shutil.copytree(unpacked(self.packages), space.tree, symlinks=True, dirs_exist_ok=True)
            merge(space.tree)
            self.fill(space, count)
        except BaseException:
            space.__exit__()
            raise
        return space

    def bytes(self) -> tuple[int, int]:
        """Bytes of its binaries, and of these and the libraries that they load; a file under two names counts once."""
        with self.make(0) as space:
            own = {file_of(space, name) for name in self.binaries}
            loaded = {library for name in self.binaries for library in libraries_of(space, name)}
            return sum(path.stat().st_size for path in own), sum(path.stat().st_size for path in own | loaded)


def file_of(space: Space, name: str) -> Path:
    """The file that a path of a tree leads to."""
    path = Path(os.path.realpath(space.tree / name.lstrip("/")))
    if not path.exists():
        raise TholeError(f"{space.name}: there is no {name} in its packages", "see tests/bench/peers")
    return path


def libraries_of(space: Space, name: str) -> set[Path]:
    """The libraries that the loader of a tree gives a program of it, the loader among them; none where it is static."""
    with open(file_of(space, name), "rb") as file:
        parsed = elf.parse(lambda offset, size: os.pread(file.fileno(), size, offset))
    if not parsed.interpreter:
        return set()
    listed = subprocess.run(
        ["chroot", space.tree, parsed.interpreter, "--list", name], capture_output=True, text=True, check=False
    )
    if listed.returncode or "not found" in listed.stdout:
        raise TholeError(f"{name} does not find its libraries: {listed.stdout}{listed.stderr}", "see tests/bench/peers")
    return {file_of(space, path) for path in re.findall(r"(/\S+) \(0x", listed.stdout)}


@functools.cache
def unpacked(packages: tuple[str, ...]) -> Path:
    """The files of Debian packages, unpacked without their scripts, without what only people read."""
    files = Apt(SUITE).download(list(packages))

    def make(directory: Path) -> None:
        for file in files.values():
            unpack(file, directory)
        merge(directory)
        for folder in ("doc", "man", "locale", "lintian", "bash-completion", "i18n", "info"):
            shutil.rmtree(directory / "usr/share" / folder, ignore_errors=True)

    return Cache().entry("bench-peers", digest("2", *(file.name for file in files.values())), make)


def merge(tree: Path) -> None:
    """Make /bin, /sbin and /lib* links into /usr, as on a Debian of today."""
    for name in _MERGED:
        place = tree / name
        (tree / "usr" / name).mkdir(parents=True, exist_ok=True)
        if place.is_dir() and not place.is_symlink():
            shutil.copytree(place, tree / "usr" / name, symlinks=True, dirs_exist_ok=True)
            shutil.rmtree(place)
        if not place.is_symlink():
            place.symlink_to(f"usr/{name}")


def arguments(number: int) -> str:
    """The command line of a service."""
    return f"{SERVICE} {number}"


def shell(space: Space) -> None:
    """Debian's dash as /bin/sh; its package is among the peer's."""
    link = space.tree / "usr/bin/sh"
    if not link.exists():
        link.symlink_to("dash")
