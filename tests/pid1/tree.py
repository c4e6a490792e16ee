"""The tiny root of a test machine: the real init, the actor, units, and nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from qemu.artifacts import one

UNITS = "usr/lib/thole/units"
EMPTY = ("proc", "sys", "dev", "run", "tmp", "shared", "root", "mnt", "var/log", "var/lib", "usr/lib/thole/templates/etc")
NAMES = ("thole", "systemctl", "reboot", "poweroff", "halt", "shutdown")
FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/sbin/nologin\nplayer:x:1000:1000:an actor:/:/sbin/nologin\n",
    "etc/group": "root:x:0:\nplayer:x:1000:\n",
    # A container shares most of these settings with its host, which a test leaves alone.
    "usr/lib/thole/sysctl.conf": "",
}


@dataclass(frozen=True)
class Programs:
    """What the build made of our own code."""

    init: Path
    actor: Path

    @classmethod
    def find(cls, build: Path) -> Programs:
        """Look in a build directory for the node; TholeError names what is not there."""
        return cls(init=one(build, "init"), actor=one(build, "actor"))


def make(root: Path, programs: Programs, units: Mapping[str, str]) -> None:
    """Lay the tree out in an empty or new directory; `units` are texts by name."""
    for name in ("sbin", "etc", "usr/bin", "usr/sbin", UNITS, *EMPTY):
        (root / name).mkdir(parents=True, exist_ok=True)
    for path, text in FILES.items():
        (root / path).write_text(text)
    shutil.copy2(programs.init, root / "sbin/init")
    shutil.copy2(programs.actor, root / "usr/bin/actor")
    for name in NAMES:
        (root / "usr/bin" / name).symlink_to("/sbin/init")
    for name, text in units.items():
        (root / UNITS / f"{name}.unit").write_text(text)
