"""The folder of a VM that a person runs: its data disk, its logs, its kubeconfig, and who has it now."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO

from driver.errors import TholeError
from qemu.artifacts import CHECKOUT

RUN = CHECKOUT / "build" / "run"


class Session:
    """One folder, used by one VM at a time."""

    def __init__(self, folder: Path, command: str = "./thole run", beside: str = "--name NAME --port auto") -> None:
        self.folder = folder
        self._command = command  # what holds such folders
        self._beside = beside  # its options for another one
        self.kubeconfig = (
            folder / "kubeconfig"
        )  # there while a node runs and has been Ready: ./thole kubectl uses it
        self._lock: IO[str] | None = None

    def __enter__(self) -> Session:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = open(self.folder / "lock", "a+")  # noqa: SIM115 - held until the session ends
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.seek(0)
            owner = self._lock.read().strip() or "unknown"
            self._lock.close()
            raise TholeError(
                f"a `{self._command}` already runs from {self.folder} (pid {owner})",
                f"use that one, end it, or start another beside it with {self._beside}",
            ) from None
        self._lock.truncate(0)
        self._lock.write(f"{os.getpid()}\n")
        self._lock.flush()
        self.kubeconfig.unlink(missing_ok=True)  # of a VM that was killed together with us
        return self

    def __exit__(self, *_: object) -> None:
        self.kubeconfig.unlink(missing_ok=True)
        if self._lock:
            self._lock.truncate(0)
            self._lock.close()


def folder_of(name: str) -> Path:
    """Where the node of that name lives on this machine."""
    if not name or "/" in name or name.startswith("."):
        raise TholeError(f"`{name}` is no name for a node's folder", "use letters, digits and dashes")
    return RUN / name
