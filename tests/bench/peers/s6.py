"""s6: s6-svscan as PID 1 and an s6-supervise for each service."""

from __future__ import annotations

from bench.peers.peer import LIBC, Peer
from bench.space import SERVICE, Space


class S6(Peer):
    """Without loggers: one s6-log (and its s6-supervise) a service would come on top."""

    name = "s6"
    packages = ("s6", "libs6-2.13", "libskarnet2.14t64", "libexecline2.9", LIBC)
    binaries = ("/usr/bin/s6-svscan", "/usr/bin/s6-supervise", "/usr/bin/s6-log", "/usr/bin/s6-svc",
                "/usr/bin/s6-svstat", "/usr/bin/s6-svscanctl")  # fmt: skip
    remark = "no loggers; s6-supervise restarts at most once a second"

    def fill(self, space: Space, count: int) -> None:
        for number in range(1, count + 1):
            folder = space.tree / f"bench/services/s{number:04}"
            folder.mkdir(parents=True)
            (folder / "run").symlink_to(SERVICE)
        (space.tree / "bench/services").mkdir(exist_ok=True)

    @property
    def command(self) -> list[str]:
        return ["/usr/bin/s6-svscan", "-C", "1100", "/bench/services"]
