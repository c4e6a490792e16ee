"""The figures that the simulation of the unit tests prints: what a mesh of so many nodes costs each of them."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from bench.supervisors import Results
from bench.table import Line
from driver.errors import TholeError

LINES = (
    Line("up", "all nodes started at once know the same after, s", 2),
    Line("up-messages", "messages a node until then", 1),
    Line("up-kib", "KiB a node until then", 1),
    Line("hellos", "hellos a node until then", 1),
    Line("quiet-messages", "messages a node in a quiet minute", 1),
    Line("quiet-kib", "KiB a node in a quiet minute", 1),
    Line("change", "a change is everywhere after, s", 2),
    Line("change-messages", "messages a node for it", 1),
)
_NUMBER = r"([\d.]+(?:e\+\d+)?)"
_TIME = r"((?:\d+ m )?[\d.]+) s"
_FIGURES = re.compile(
    rf"(\d+) nodes at once: same knowledge after {_TIME}, by {_NUMBER} messages, {_NUMBER} KiB and {_NUMBER}"
    rf" hellos a node; in a quiet minute {_NUMBER} messages, {_NUMBER} KiB; a change is everywhere after {_TIME},"
    rf" by {_NUMBER} messages"
)
_LIMIT = 3 * 3600  # s


def measure(program: Path, largest: int) -> dict[str, Results]:
    """Figures of 10, 100, 500 and `largest` nodes (0: none) by a column's name."""
    environment = {**os.environ, **({"THOLE_MESH_NODES": str(largest)} if largest else {})}
    done = subprocess.run(
        [program, "--test-case=figures*"], env=environment, capture_output=True, text=True, timeout=_LIMIT, check=False
    )
    found = parse(done.stdout)
    if done.returncode or not found:
        raise TholeError(f"the simulation failed: {done.stdout[-2000:]}", "./thole test unit")
    return found


def parse(text: str) -> dict[str, Results]:
    """The lines of figures in a test's output."""
    keys = [line.key for line in LINES]
    return {
        f"{int(match[1]):,} nodes": dict(zip(keys, map(value, match.groups()[1:]), strict=True))
        for match in _FIGURES.finditer(text)
    }


def value(text: str) -> float:
    """A number, or a time of minutes and seconds, in seconds."""
    minutes, _, rest = text.rpartition(" m ")
    return float(minutes or 0) * 60 + float(rest)
