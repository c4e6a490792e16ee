"""Errors that are meant for the person at the keyboard."""

from __future__ import annotations

import sys
from collections.abc import Callable


class TholeError(Exception):
    """Something that a person can act on: `what` happened and the `remedy`."""

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.what}\n  remedy: {self.remedy}" if self.remedy else self.what


def guard(function: Callable[[], int | None]) -> int:
    """Run `function`; print a TholeError, a full disk or an interrupt as one message; give the exit status.

    Step scripts end with `sys.exit(guard(main))`, so that they and the driver fail in the same words.
    """
    try:
        return function() or 0
    except TholeError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return 1
    except OSError as error:
        print(f"error: {from_os_error(error)}", file=sys.stderr, flush=True)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr, flush=True)
        return 130


def from_os_error(error: OSError) -> TholeError:
    """Put an OSError in words; a full disk and a missing program get their remedy."""
    import errno

    name = error.filename or "a file"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return TholeError(
            f"no space left on the disk while writing {name}",
            "free some space (./thole clean [--cache] removes what was built and cached), repeat",
        )
    if error.errno == errno.ENOENT and error.filename:
        return TholeError(
            f"{name} does not exist: {error.strerror}", "./thole doctor lists what this machine misses"
        )
    return TholeError(f"{name}: {error.strerror or error}")
