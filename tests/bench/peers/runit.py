"""runit: runit as PID 1, runsvdir, and a runsv for each service."""

from __future__ import annotations

import os
import signal

from bench.peers.peer import LIBC, Peer, shell
from bench.space import SERVICE, Space


class Runit(Peer):
    """Without svlogd: one a service would come on top."""

    name = "runit"
    packages = ("runit", "dash", LIBC)
    binaries = ("/usr/sbin/runit", "/usr/bin/runsvdir", "/usr/bin/runsv", "/usr/bin/svlogd", "/usr/bin/sv")
    remark = "no svlogd; stopped by SIGHUP to runsvdir, its fastest way"

    def fill(self, space: Space, count: int) -> None:
        shell(space)
        for number in range(1, count + 1):
            folder = space.tree / f"bench/services/s{number:04}"
            folder.mkdir(parents=True)
            (folder / "run").symlink_to(SERVICE)
        (space.tree / "bench/services").mkdir(exist_ok=True)
        space.write("etc/runit/1", "#!/bin/sh\nexit 0\n", 0o755)
        space.write("etc/runit/2", "#!/bin/sh\nexec runsvdir -P /bench/services\n", 0o755)
        space.write("etc/runit/3", "#!/bin/sh\nexit 0\n", 0o755)

    @property
    def command(self) -> list[str]:
        return ["/usr/sbin/runit"]

    def request_stop(self, space: Space) -> None:
        for process in space.supervisors():
            if process.program.endswith("/runsvdir"):
                os.kill(process.pid, signal.SIGHUP)
