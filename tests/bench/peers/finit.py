"""finit, with its plugins as Debian has them."""

from __future__ import annotations

import os
import signal

from bench.peers.peer import LIBC, Peer, arguments, shell
from bench.space import Space


class Finit(Peer):
    """`service` stanzas without pid files; output to nowhere."""

    name = "finit"
    packages = ("finit", "finit-sysv", "libite5t64", "libuev3t64", "libcap2", "libcrypt1", "dash", "busybox-static",
                LIBC)  # fmt: skip
    binaries = ("/usr/sbin/finit", "/usr/lib/finit/keventd", "/usr/sbin/initctl")
    remark = "services in finit.conf, no logs kept"
    patience = 120

    def fill(self, space: Space, count: int) -> None:
        shell(space)
        (space.tree / "usr/bin/mount").symlink_to("busybox")
        lines = ["runlevel 2"]
        for number in range(1, count + 1):
            lines.append(f"service [2] name:s{number} notify:none {arguments(number)} --")
        space.write("etc/fstab", "")
        space.write("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
        space.write("etc/group", "root:x:0:\n")
        space.write("etc/finit.conf", "\n".join(lines) + "\n")

    @property
    def command(self) -> list[str]:
        return ["/usr/sbin/finit"]

    def request_stop(self, space: Space) -> None:
        os.kill(space.pid, signal.SIGUSR2)
