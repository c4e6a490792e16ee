"""Seconds that a build takes: with nothing changed, with init changed, and from nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.supervisors import Results
from driver import bench
from driver.display import Display
from driver.errors import TholeError
from driver.paths import CHECKOUT


def times(display: Display, cold: bool) -> Results:
    """What `./thole bench boot` measures of builds; `cold` adds one of a new clone with an empty cache."""
    named = {"build, nothing changed": "idle", "build, init edited": "edited"}
    found: Results = {named[figure.name]: figure.value for figure in bench.rebuilds(display)}
    if cold:
        display.update_text("bench", "building from nothing: the better part of an hour")
        found["cold"] = from_nothing()
    return found


def from_nothing() -> float:
    """A clone in an empty folder, an empty cache."""
    with tempfile.TemporaryDirectory(prefix="thole-bench-") as folder:
        checkout = Path(folder) / "thole"
        subprocess.run(["git", "clone", "--quiet", CHECKOUT, checkout], check=True)
        environment = {**os.environ, "XDG_CACHE_HOME": f"{folder}/cache"}
        begun = time.monotonic()
        done = subprocess.run(
            [sys.executable, checkout / "thole", "build"], env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise TholeError(f"the build from nothing failed: {done.stderr.strip()[-800:]}")
        return time.monotonic() - begun
