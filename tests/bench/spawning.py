"""Processes started a second by a program with a large heap: init's spawn() beside what others use."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess

from bench import programs
from bench.space import Space
from bench.supervisors import Results
from bench.table import Line

HEAPS = (0, 1024)
COLUMNS = ("init", "posix_spawn", "fork")
LINES = tuple(Line(f"rate {heap}", f"processes a second, {heap:,} MB heap", high=True) for heap in HEAPS)
NAMES = {"init": "thole's spawn()", "posix_spawn": "posix_spawn (musl)", "fork": "fork + exec"}


def measure(seconds: float) -> dict[str, Results]:
    """Rates by way and heap."""
    found: dict[str, Results] = {NAMES[name]: {} for name in COLUMNS}
    with Space("spawn") as space:
        shutil.copy2(programs.built() / "spawn", space.tree / "bench" / "spawn")
        os.mknod(space.tree / "dev" / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        for heap in HEAPS:
            out = subprocess.run(
                ["chroot", space.tree, "/bench/spawn", str(heap), str(seconds)],
                capture_output=True, text=True, check=True,
            ).stdout  # fmt: skip
            for line in out.splitlines():
                name, rate = line.split()
                found[NAMES[name]][f"rate {heap}"] = float(rate)
    return found
