"""What a person sees while something works: a moving line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TextIO

from driver.progress import Progress

_BAR = 20
_PLAIN_INTERVAL = 30.0


def create(stream: TextIO | None = None) -> Display:
    """A display that suits the stream (standard error: standard output is for results)."""
    stream = stream or sys.stderr
    return TerminalDisplay(stream) if stream.isatty() else Display(stream)


def seconds(value: float) -> str:
    """A time span as people write it."""
    if value < 60:
        return f"{value:.1f} s"
    return f"{int(value // 60)} min {int(value % 60):02d} s"


class Display:
    """Plain lines: one when a step begins, one now and then, one when it ends."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.step = ""
        self.started = 0.0
        self.last = Progress("", 0, 0, "")
        self._said = 0.0

    def begin(self, step: str) -> None:
        """A step begins; the one before has ended."""
        if step == self.step:
            return
        self.end()
        self.step = step
        self.started = self._said = time.monotonic()
        self.last = Progress(step, 0, 0, "")
        self._begun()

    def update(self, progress: Progress) -> None:
        """A step has come this far."""
        self.begin(progress.step)
        self.last = progress
        self.tick()

    def update_text(self, step: str, text: str) -> None:
        """A step of unknown length does this now."""
        self.update(Progress(step, 0, 0, text))

    def end(self, failed: bool = False) -> None:
        """The current step has ended."""
        if self.step:
            took = seconds(time.monotonic() - self.started)
            text = "failed" if failed else self.last.text
            self._write(f"{self.step:<12} {took:>12}  {text}".rstrip())
        self.step = ""

    def note(self, text: str) -> None:
        """A line that stays."""
        self._write(text)

    def tick(self) -> None:
        """Time has gone by."""
        now = time.monotonic()
        if self.step and now - self._said >= _PLAIN_INTERVAL:
            self._said = now
            share = f"{100 * self.last.done // self.last.total} %  " if self.last.total else ""
            self._write(
                f"{self.step:<12} ... {seconds(now - self.started):>8}  {share}{self.last.text}".rstrip()
            )

    def pause(self) -> None:
        """Something else is about to write to the terminal."""

    def _begun(self) -> None:
        self._write(f"{self.step} ...")

    def _write(self, line: str) -> None:
        print(line, file=self.stream, flush=True)


class TerminalDisplay(Display):
    """One line at the bottom that moves; a line stays for each step that ended."""

    def tick(self) -> None:
        if not self.step:
            return
        took = seconds(time.monotonic() - self.started)
        width = shutil.get_terminal_size().columns - 1
        line = f"{self.step:<12} {took:>12}  {self._bar()}{self.last.text}"
        self.stream.write(f"\r\x1b[K{line[:width]}")
        self.stream.flush()

    def pause(self) -> None:
        self.stream.write("\r\x1b[K")
        self.stream.flush()

    def _bar(self) -> str:
        done, total = self.last.done, self.last.total
        if not total:
            return ""
        filled = min(_BAR, _BAR * done // total)
        return f"[{'#' * filled}{'.' * (_BAR - filled)}] {100 * done // total:3d} %  "

    def _begun(self) -> None:
        self.tick()

    def _write(self, line: str) -> None:
        self.stream.write(f"\r\x1b[K{line}\n")
        self.stream.flush()
