"""A long-running child: output goes to a log, progress to the display; an interrupt ends all of it."""

from __future__ import annotations

import os
import re
import selectors
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from driver import progress
from driver.display import Display
from driver.errors import TholeError

_TAIL = 20
_ERROR = re.compile(r" (fatal )?error: |: ERROR: ")
_TICK = 0.25
_PATIENCE = {signal.SIGINT: 15.0, signal.SIGTERM: 5.0, signal.SIGKILL: 5.0}


class Job:
    """One child with its log. `take` gives what the log gets of a line; it may turn one into progress."""

    def __init__(
        self,
        command: list[str],
        display: Display,
        log: Path,
        *,
        environment: dict[str, str] | None = None,
        directory: Path | None = None,
        take: Callable[[str], str | None] | None = None,
    ) -> None:
        self.command = command
        self.display = display
        self.log = log
        self.environment = environment
        self.directory = directory
        self.take = take or (lambda line: line)
        self.tail: deque[str] = deque(maxlen=400)

    def run(self) -> int:
        """Run to the end; the exit status. An interrupt ends the child and what it started, then goes on."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with open(self.log, "w", errors="replace") as log:
            log.write(f"$ {' '.join(self.command)}\n")
            child = subprocess.Popen(
                self.command,
                env=self.environment,
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
            try:
                self._follow(child, log)
                return child.wait()
            except BaseException:
                self.display.end(failed=True)
                self.display.note("ending what was started ...")
                stop(child)
                raise

    def _follow(self, child: subprocess.Popen, log) -> None:
        """Read the child's output until its end."""
        assert child.stdout
        handle = child.stdout.fileno()
        rest = b""
        with selectors.DefaultSelector() as selector:
            selector.register(handle, selectors.EVENT_READ)
            while True:
                if not selector.select(_TICK):
                    self.display.tick()
                    continue
                data = os.read(handle, 65536)
                if not data:
                    break
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    self._line(line.decode(errors="replace").rstrip("\r"), log)
                log.flush()
        if rest:
            self._line(rest.decode(errors="replace"), log)

    def _line(self, line: str, log) -> None:
        known = progress.parse(line)
        if known:
            self.display.update(known)
            return
        kept = self.take(line)
        if kept is not None:
            log.write(kept + "\n")
            self.tail.append(kept)

    def failure(self, what: str) -> TholeError:
        """The error for a child that failed: its lines from where the trouble began, and the log's name."""
        lines = [line for line in self.tail if line.strip()]
        starts = [
            n
            for n, line in enumerate(lines)
            if line.startswith(("FAILED:", "error:", "E: ")) or _ERROR.search(line)
        ]
        begin = max(starts[0] if starts else 0, len(lines) - 60) if starts else max(0, len(lines) - _TAIL)
        shown = "\n".join(f"  | {line}" for line in lines[begin:][:_TAIL])
        return TholeError(f"{what} failed:\n{shown}", f"the whole log is {self.log}")


def stop(child: subprocess.Popen) -> None:
    """End a child that leads its own process group and all that it started there, ever less gently."""
    if child.stdout and not child.stdout.closed:
        os.set_blocking(child.stdout.fileno(), False)
    for number, patience in _PATIENCE.items():
        if not _signal(child.pid, number):
            break
        end = time.monotonic() + patience
        try:
            while time.monotonic() < end:
                ended = child.poll() is not None
                if ended and not _signal(child.pid, 0):
                    return
                if ended and number == signal.SIGINT:
                    break  # what the leader left behind ignores SIGINT, as a shell's background jobs do
                # Read on, or a child with a full pipe never comes to its end.
                if child.stdout and not child.stdout.closed:
                    child.stdout.read()
                time.sleep(0.05)
        except KeyboardInterrupt:
            continue  # asked again: be less gentle
    child.poll()


def _signal(group: int, number: int) -> bool:
    """Send a signal to a process group; false where nobody is left in it."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True
