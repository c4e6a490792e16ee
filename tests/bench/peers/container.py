"""Inits for one command in a container: tini, dumb-init, catatonit, and `thole run-one`."""

from __future__ import annotations

import shutil

from bench.peers.peer import LIBC, Peer
from bench.peers.thole import binary
from bench.space import SERVICE, Space


class ContainerInit(Peer):
    """PID 1 that runs one command, reaps, hands signals on and ends with its exit code."""

    def __init__(self, name: str, packages: tuple[str, ...], program: str, options: tuple[str, ...]) -> None:
        self.name = name
        self.packages = packages
        self.binaries = (program,)
        self._options = options

    def fill(self, space: Space, count: int) -> None:
        """Nothing but the programs is needed."""

    @property
    def command(self) -> list[str]:
        return [self.binaries[0], *self._options, SERVICE, "1"]


class RunOne(ContainerInit):
    """thole as such an init: the whole binary, of which that is one applet."""

    def __init__(self) -> None:
        super().__init__("thole run-one", (), "/usr/bin/thole", ("run-one", "--"))

    def fill(self, space: Space, count: int) -> None:
        shutil.copy2(binary(), space.tree / "usr/bin/thole")

    def version(self) -> str:
        return "this checkout"


class NoInit(ContainerInit):
    """The service itself as PID 1: what the others' overhead is counted from."""

    def __init__(self) -> None:
        super().__init__("none", (), SERVICE, ("1",))

    @property
    def command(self) -> list[str]:
        return [SERVICE, "1"]


def inits() -> list[ContainerInit]:
    """thole first."""
    return [
        RunOne(),
        ContainerInit("tini", ("tini",), "/usr/bin/tini-static", ("--",)),
        ContainerInit("dumb-init", ("dumb-init", LIBC), "/usr/bin/dumb-init", ("--",)),
        ContainerInit("catatonit", ("catatonit", LIBC), "/usr/bin/catatonit", ("--",)),
    ]
