"""One run of a PID 1: a tree in memory, fresh namespaces, and what can be asked of it from outside."""

from __future__ import annotations

import mmap
import os
import select
import signal
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from bench import linux, programs
from driver.errors import TholeError

SERVICE = "/bench/service"
_SLOTS = 4096
_CGROUPS = ("/sys/fs/cgroup", "/sys/fs/cgroup/unified")


class Trouble(TholeError):
    """A measurement that did not come to its end; the text goes into the table's notes."""


def cgroup_root() -> Path:
    """Where this machine has cgroup2."""
    for place in _CGROUPS:
        if (Path(place) / "cgroup.controllers").exists():
            return Path(place)
    raise TholeError("this machine has no cgroup2 mounted", "mount one at /sys/fs/cgroup/unified")


class Space:
    """A tree for a PID 1 on a tmpfs of its own, in which one can be run again and again."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.tree = Path(tempfile.mkdtemp(prefix=f"thole-bench-{name}-", dir="/dev/shm"))
        linux.mount_tmpfs(self.tree)
        for folder in ("proc", "sys", "dev", "run", "tmp", "etc", "root", "var/log", "usr/sbin", "usr/bin", "bench"):
            (self.tree / folder).mkdir(parents=True)
        (self.tree / "var/run").symlink_to("/run")
        programs.put(self.tree)
        self._cgroup = cgroup_root() / f"thole-bench-{os.getpid()}-{self.tree.name.rpartition('-')[2]}"
        self._process: subprocess.Popen[str] | None = None
        self._namespace = 0
        self.pid = -1
        self._runs = 0

    def __enter__(self) -> Space:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        linux.unmount(self.tree)
        self.tree.rmdir()

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """A file of the tree."""
        file = self.tree / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)

    # -- running

    def start(self, command: list[str], options: tuple[str, ...] = ()) -> None:
        """Make a PID 1 of this command; options are launch's."""
        (self.tree / "bench" / "times").write_bytes(b"\0" * 8 * _SLOTS)
        (self.tree / "bench" / "console").write_bytes(b"")
        self._runs += 1
        self._cgroup.mkdir(exist_ok=True)
        self._process = subprocess.Popen(
            [programs.built() / "launch", *options, self.tree, self._cgroup, *command],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        line = self._process.stdout.readline()
        if not line.strip():
            raise Trouble(f"{self.name}: the launcher failed: {self._process.stderr.read().strip()}", "")
        self.pid = int(line)
        self._namespace = 0

    def end(self) -> None:
        """Kill what runs; its cgroups go too."""
        if self._process is None:
            return
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()
        self._process.stdout.close()
        self._process.stderr.close()
        self._process = None
        _remove_cgroups(self._cgroup)

    def running(self) -> bool:
        """Whether PID 1 is there."""
        return self._process is not None and self._process.poll() is None

    def console(self) -> str:
        """What was written to /dev/console, its last part."""
        text = (self.tree / "bench" / "console").read_bytes()[-3000:]
        return text.decode(errors="replace").replace("\r\n", "\n").replace("\0", "")

    def fail(self, what: str) -> Trouble:
        """An error that shows the last lines of the console."""
        lines = [line for line in self.console().splitlines() if line.strip()]
        return Trouble(f"{self.name}: {what}", "\n".join(lines[-12:]))

    def steps(self, command: list[str], services: int, most: int) -> int:
        """Instructions of PID 1 from its start until so many services run; it is ended then."""
        self.start(command, ("--steps", str(services), str(most)))
        out = self._process.stdout.readline().strip()
        self.end()
        if not out.isdigit():
            raise Trouble(f"{self.name}: PID 1 needs more than {most:,} instructions" if out else
                          f"{self.name}: PID 1 cannot be stepped")  # fmt: skip
        return int(out)

    # -- the services' times

    def times(self) -> list[int]:
        """All slots: 0 = exec of PID 1, N = main() of service N; nanoseconds of CLOCK_MONOTONIC, 0 = not yet."""
        data = (self.tree / "bench" / "times").read_bytes()
        return list(struct.unpack(f"{len(data) // 8}Q", data))

    def wait_started(self, numbers: Iterable[int], timeout: float) -> float:
        """Wait until the services have reached main(); milliseconds from the exec of PID 1 to the last."""
        wanted = list(numbers)
        deadline = time.monotonic() + timeout
        while True:
            times = self.times()
            missing = [number for number in wanted if times[number] == 0]
            if not missing:
                return (max(times[number] for number in wanted) - times[0]) / 1e6
            if not self.running():
                said = self._process.stderr.read().strip()
                code = self._process.returncode
                raise self.fail(f"PID 1 has ended before all services ran ({code}) {said}".strip())
            if time.monotonic() > deadline:
                raise self.fail(f"{len(missing)} of {len(wanted)} services do not run after {timeout:.0f} s")
            time.sleep(0.01)

    def wait_restarted(self, number: int, before: int, timeout: float) -> int:
        """Wait until a service's main() began anew; that time in nanoseconds."""
        deadline = time.monotonic() + timeout
        with open(self.tree / "bench" / "times", "rb") as file:
            with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as slots:
                while True:
                    (value,) = struct.unpack_from("Q", slots, 8 * number)
                    if value != before:
                        return value
                    if time.monotonic() > deadline:
                        raise self.fail(f"service {number} was not restarted within {timeout:.0f} s")
                    time.sleep(0.0005)

    # -- its processes

    def processes(self) -> list[linux.Process]:
        """All processes in its pid namespace."""
        if self._namespace == 0:
            self._namespace = linux.pid_namespace(self.pid)
        return linux.processes_of(self._namespace)

    def services(self) -> dict[int, int]:
        """Number of service: host's pid."""
        return {service_number(process): process.pid for process in self.processes() if is_service(process)}

    def supervisors(self) -> list[linux.Process]:
        """All processes but the services."""
        return [process for process in self.processes() if not is_service(process)]

    def inside(self, *command: str, stdin: int | None = subprocess.DEVNULL) -> subprocess.Popen[str]:
        """Run a program in its namespaces."""
        return subprocess.Popen(
            ["nsenter", f"--target={self.pid}", "--mount", "--pid", "--ipc", "--uts", "--net", "--cgroup",
             "--root", "--wd=/", "--", *command],
            stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        )  # fmt: skip

    def ask(self, *command: str, timeout: float = 60) -> str:
        """Run a program in its namespaces to its end; what it printed."""
        process = self.inside(*command)
        out, errors = process.communicate(timeout=timeout)
        if process.returncode != 0:
            raise self.fail(f"{' '.join(command)} failed ({process.returncode}): {errors.strip()}")
        return out


def is_service(process: linux.Process) -> bool:
    """Whether a process is one of our trivial services."""
    return process.program.endswith(SERVICE)


def service_number(process: linux.Process) -> int:
    """Its number: the argument, else the end of its working directory's name."""
    text = process.arguments[1] if len(process.arguments) > 1 else os.readlink(f"/proc/{process.pid}/cwd")
    digits = "".join(letter for letter in text.rpartition("/")[2] if letter.isdigit())
    return int(digits) if digits else 0


def wait_ended(pids: Iterable[int], timeout: float) -> tuple[float, int]:
    """Wait for the end of processes; the time.monotonic() of the last end, and how many have not ended."""
    poller = select.poll()
    handles = set()
    for pid in pids:
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        handles.add(handle)
        poller.register(handle, select.POLLIN)
    return _drain(poller, handles, timeout)


def _drain(poller: select.poll, handles: set[int], timeout: float) -> tuple[float, int]:
    deadline = time.monotonic() + timeout
    last = time.monotonic()
    while handles and (left := deadline - time.monotonic()) > 0:
        for handle, _ in poller.poll(left * 1000):
            last = time.monotonic()
            poller.unregister(handle)
            os.close(handle)
            handles.discard(handle)
    remaining = len(handles)
    for handle in handles:
        os.close(handle)
    return last, remaining


def _remove_cgroups(cgroup: Path) -> None:
    """Remove a cgroup and all below it; its last processes may just be ending."""
    for attempt in range(200):
        for path, _, _ in os.walk(cgroup, topdown=False):
            try:
                os.rmdir(path)
            except OSError:
                pass
        if not cgroup.exists():
            return
        time.sleep(0.01 * (attempt > 0))
