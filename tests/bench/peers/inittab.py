"""The two that read /etc/inittab: sysvinit and busybox init."""

from __future__ import annotations

import os
import signal

from bench.peers.peer import LIBC, Peer, arguments
from bench.space import Space


class Sysvinit(Peer):
    """respawn lines; no supervision beyond that, no output kept."""

    name = "sysvinit"
    packages = ("sysvinit-core", "libselinux1", "libpcre2-8-0", LIBC)
    binaries = ("/usr/sbin/init", "/usr/sbin/telinit")
    remark = "respawn lines of inittab only: no order, no readiness, no logs"

    def fill(self, space: Space, count: int) -> None:
        lines = ["id:2:initdefault:"]
        lines += [f"{number % 10000:04}:2:respawn:{arguments(number)}" for number in range(1, count + 1)]
        space.write("etc/inittab", "\n".join(lines) + "\n")

    @property
    def command(self) -> list[str]:
        return ["/usr/sbin/init"]

    def request_stop(self, space: Space) -> None:
        space.ask("/usr/sbin/telinit", "1")


class Busybox(Peer):
    """respawn lines; no supervision beyond that, no output kept."""

    name = "busybox init"
    packages = ("busybox-static",)
    binaries = ("/usr/bin/busybox",)
    remark = "respawn lines of inittab only; the binary is all of busybox"

    def fill(self, space: Space, count: int) -> None:
        lines = [f"::respawn:{arguments(number)}" for number in range(1, count + 1)]
        space.write("etc/inittab", "\n".join(lines) + "\n")
        (space.tree / "usr/sbin/init").symlink_to("../bin/busybox")

    @property
    def command(self) -> list[str]:
        return ["/usr/sbin/init"]

    def request_stop(self, space: Space) -> None:
        os.kill(space.pid, signal.SIGUSR2)
