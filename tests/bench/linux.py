"""Linux calls that Python has no function for, and what is read from /proc."""

from __future__ import annotations

import ctypes
import os
import re
from pathlib import Path
from typing import NamedTuple

_LIBRARY = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNS = 0x00020000
_MS_REC, _MS_PRIVATE = 0x4000, 0x40000
_MNT_DETACH = 2
_KILOBYTES = re.compile(r"^(\w+):\s+(\d+) kB$", re.MULTILINE)


def private_mounts() -> None:
    """Give this process mounts of its own: what it mounts, no other sees, and it goes with the process."""
    _call("unshare", _LIBRARY.unshare(_CLONE_NEWNS))
    _call("make mounts private", _LIBRARY.mount(None, b"/", None, _MS_REC | _MS_PRIVATE, None))


def mount_tmpfs(target: Path) -> None:
    """A file system in memory at `target`."""
    done = _LIBRARY.mount(b"tmpfs", os.fsencode(target), b"tmpfs", 0, b"mode=0755,size=4g,nr_inodes=1m")
    _call(f"mount a tmpfs at {target}", done)


def unmount(target: Path) -> None:
    """Take away what is mounted at `target`, at the latest when nobody uses it any more."""
    _call(f"unmount {target}", _LIBRARY.umount2(os.fsencode(target), _MNT_DETACH))


def _call(what: str, result: int) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


class Process(NamedTuple):
    """A process of the measured namespace, by the host's numbers."""

    pid: int
    program: str
    arguments: tuple[str, ...]


def pid_namespace(pid: int) -> int:
    """The inode that stands for the pid namespace of a process."""
    return os.stat(f"/proc/{pid}/ns/pid").st_ino


def processes_of(namespace: int) -> list[Process]:
    """All living processes of a pid namespace; PID 1 first."""
    found = []
    for name in sorted((int(name) for name in os.listdir("/proc") if name.isdigit())):
        try:
            if pid_namespace(name) == namespace:
                words = Path(f"/proc/{name}/cmdline").read_bytes().split(b"\0")[:-1]
                program = os.readlink(f"/proc/{name}/exe")
                found.append(Process(name, program, tuple(os.fsdecode(word) for word in words)))
        except OSError:
            continue  # it has ended meanwhile
    return found


def kilobytes(text: str) -> dict[str, int]:
    """The `Name: N kB` lines of a file in /proc (status, smaps_rollup)."""
    return {match[1]: int(match[2]) for match in _KILOBYTES.finditer(text)}


class Memory(NamedTuple):
    """Memory in kB: VmRSS and RssAnon as in proc(5), PSS with shared pages divided by their users."""

    rss: float
    anonymous: float
    pss: float


def memory_of(pids: list[int]) -> Memory:
    """The memory of all these processes together."""
    total = [0, 0, 0]
    for pid in pids:
        status = kilobytes(Path(f"/proc/{pid}/status").read_text())
        rollup = kilobytes(Path(f"/proc/{pid}/smaps_rollup").read_text())
        for at, value in enumerate((status["VmRSS"], status["RssAnon"], rollup["Pss"])):
            total[at] += value
    return Memory(*total)


def switches(pid: int) -> int:
    """How often all threads of a process went to sleep by themselves."""
    total = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        match = re.search(r"^voluntary_ctxt_switches:\s+(\d+)$", (thread / "status").read_text(), re.MULTILINE)
        total += int(match[1]) if match else 0
    return total
