"""The serial console of a VM: follow it, wait for words, look for trouble."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from driver.errors import TholeError

POLL = 0.05
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1bc|\r|\x00")

TROUBLE = [
    re.compile(pattern)
    for pattern in (
        r"Kernel panic",
        r"\bOops\b",
        r"\bBUG:",
        r"\bWARNING:",
        r"Call Trace:",
        r"general protection fault",
        r"segfault at",
        r"Unable to mount root fs",
        r"EXT4-fs (error|warning)",
        r"EXT4-fs \([^)]*\): (error|warning)",
        r"erofs \(device [^)]*\): .*(error|corrupt|fail)",
        r"\bI/O error",
        r"blocked for more than \d+ seconds",
        r"detected stalls on CPUs",
        r"soft lockup",
        r"Out of memory: Killed process",
        r"device-mapper: verity: .*corrupt",
    )
]


class ConsoleError(TholeError):
    """What was waited for did not come, or trouble did."""


class Console:
    """The log file that QEMU writes a console to."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def text(self) -> str:
        """All of it so far, without terminal escapes."""
        try:
            return clean(self.path.read_bytes())
        except FileNotFoundError:
            return ""

    def lines(self) -> list[str]:
        """The same, line by line."""
        return self.text().split("\n")

    def tail(self, count: int = 40) -> str:
        """The last lines, indented, for the end of a message."""
        lines = [line for line in self.lines() if line.strip()][-count:]
        return "\n".join("    | " + line for line in lines) or "    | (the console is empty)"

    def wait_for(
        self, pattern: str, timeout: float, alive: Callable[[], bool] = lambda: True, start: int = 0
    ) -> re.Match[str]:
        """Until `pattern` (a regular expression) stands on the console at or after the character `start`."""
        wanted = re.compile(pattern, re.MULTILINE)
        limit = time.monotonic() + timeout
        while True:
            running = alive()  # asked before the text is read, so that the last words of a VM that ends count
            found = wanted.search(self.text(), start)
            if found:
                return found
            if not running:
                raise ConsoleError(f"the VM ended, and its console never said `{pattern}`:\n{self.tail()}")
            if time.monotonic() > limit:
                raise ConsoleError(
                    f"the console did not say `{pattern}` within {timeout:.0f} s:\n{self.tail()}"
                )
            time.sleep(POLL)

    def trouble(self, allowed: Iterable[str] = ()) -> list[str]:
        """The lines that no healthy boot has; `allowed` are expressions for those that a test provokes."""
        return find_trouble(self.text(), allowed)

    def check(self, allowed: Iterable[str] = ()) -> None:
        """Raise where the console shows trouble."""
        lines = self.trouble(allowed)
        if lines:
            shown = "\n".join("    | " + line for line in lines[:20])
            raise ConsoleError(f"the console shows {len(lines)} lines of trouble ({self.path}):\n{shown}")


def clean(raw: bytes) -> str:
    """Console bytes as text without carriage returns and escapes."""
    return ESCAPES.sub("", raw.decode(errors="replace"))


def find_trouble(text: str, allowed: Iterable[str] = ()) -> list[str]:
    """The lines of `text` that match a trouble pattern and none of `allowed`."""
    excused = [re.compile(pattern) for pattern in allowed]
    return [
        line.strip()
        for line in text.split("\n")
        if any(pattern.search(line) for pattern in TROUBLE)
        and not any(pattern.search(line) for pattern in excused)
    ]
