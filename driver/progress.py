"""Progress of steps: how they say it, and how the driver reads it.

A step script prints `::progress STEP DONE TOTAL TEXT` on its standard output; everything else it prints is
log.
"""

from __future__ import annotations

from typing import NamedTuple

PREFIX = "::progress "


class Progress(NamedTuple):
    """One line of progress. `total` is 0 where the length is not known."""

    step: str
    done: int
    total: int
    text: str


def report(step: str, done: int, total: int, text: str = "") -> None:
    """Say how far a step is; `total` 0 where that is not known."""
    print(f"{PREFIX}{step} {int(done)} {int(total)} {text}".rstrip(), flush=True)


def parse(line: str) -> Progress | None:
    """The progress in a line of output, or None where it is log."""
    if not line.startswith(PREFIX):
        return None
    fields = line[len(PREFIX) :].rstrip("\n").split(" ", 3)
    if len(fields) < 3:
        return None
    try:
        return Progress(fields[0], int(fields[1]), int(fields[2]), fields[3] if len(fields) > 3 else "")
    except ValueError:
        return None
