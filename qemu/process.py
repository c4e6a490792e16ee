"""QEMU as a child that never outlives us: it dies with its parent, or at its deadline, by its own pid."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)


class Process:
    """One running QEMU."""

    def __init__(self, argv: Sequence[str], log: Path, deadline: float | None) -> None:
        self.argv = list(argv)
        self.log = log
        self.deadline = deadline
        self.overdue = False
        with log.open("wb") as output:
            # Its own session: Ctrl-C on the terminal is ours to answer, with an orderly end of the guest.
            self._child = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                start_new_session=True, preexec_fn=die_with(os.getpid()),
            )  # fmt: skip
        self._timer: threading.Timer | None = None
        if deadline is not None:
            self._timer = threading.Timer(deadline, self._expire)
            self._timer.daemon = True
            self._timer.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._child.pid

    def alive(self) -> bool:
        """Whether it still runs."""
        return self._child.poll() is None

    def wait(self, timeout: float) -> int | None:
        """Its exit status, or None when it still runs after `timeout` seconds."""
        try:
            status = self._child.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        if self._timer:
            self._timer.cancel()
        return status

    def kill(self) -> None:
        """End it now, and wait until it is gone."""
        if self.alive():
            self._child.kill()
        self._child.wait()
        if self._timer:
            self._timer.cancel()

    def complaint(self) -> str:
        """What QEMU itself said, without its usual remarks on emulated processors."""
        try:
            text = self.log.read_text(errors="replace")
        except FileNotFoundError:
            return ""
        return "\n".join(
            line for line in text.splitlines() if "TCG doesn't support requested feature" not in line
        )

    def _expire(self) -> None:
        self.overdue = self.alive()
        self._child.kill()


def die_with(parent: int):
    """What the child does before it becomes QEMU: the kernel kills it when the thread that made it ends."""

    def prepare() -> None:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # the parent died before the line above
            os._exit(1)

    return prepare
