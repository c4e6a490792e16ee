"""thole itself, from the build."""

from __future__ import annotations

import shutil
from pathlib import Path

from bench.peers.peer import Peer, arguments
from bench.space import Space
from driver.errors import TholeError
from driver.paths import TARGET

_UNIT = """\
[unit]
description = Service {number}

[service]
command = {command}
readiness = started
restart = always
restart-delay = 0s
"""


def binary() -> Path:
    """The init of the target build."""
    path = TARGET / "init" / "init"
    if not path.exists():
        raise TholeError("the build has no init", "./thole build makes it")
    return path


class Thole(Peer):
    """One binary: PID 1, the logger, the command line, lint."""

    name = "thole"
    binaries = ("/usr/sbin/init",)
    settle = 0

    def fill(self, space: Space, count: int) -> None:
        shutil.copy2(binary(), space.tree / "usr/sbin/init")
        for folder in ("usr/lib/thole/units", "usr/lib/thole/templates/etc", "usr/share/thole/var", "var/lib/thole"):
            (space.tree / folder).mkdir(parents=True, exist_ok=True)
        space.write("usr/lib/thole/sysctl.conf", "")
        for number in range(1, count + 1):
            text = _UNIT.format(number=number, command=arguments(number))
            space.write(f"usr/lib/thole/units/s{number:04}.unit", text)

    @property
    def command(self) -> list[str]:
        return ["/usr/sbin/init"]

    def version(self) -> str:
        return "this checkout"
