"""A machine made of namespaces on this host: pid, mount, uts, ipc, net, cgroup, and user where we are not root."""

from __future__ import annotations

import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from pid1.agent import Agent
from pid1.machine import Boot, Machine, clean_console
from pid1.tree import Programs, make

from qemu.process import die_with

AGENT_UNIT = """\
[unit]
description = the test's agent
[service]
command = /usr/bin/actor agent /shared/agent
"""
STARTED = 20


class NamespaceMachine(Machine):
    """PID 1 is a child of the launcher (`actor enter`), which is a child of ours."""

    kind = "namespace"

    def __init__(self, programs: Programs, units: Mapping[str, str], boot: Boot) -> None:
        super().__init__()
        self._folder = Path(tempfile.mkdtemp(prefix="thole-pid1-"))
        self._cgroup: Path | None = None
        self._launcher: subprocess.Popen[bytes] | None = None
        self._shown = bytearray()
        self._stop = threading.Event()
        self._reader: threading.Thread | None = None
        self._console, terminal = os.openpty()
        try:
            self._start(programs, units, boot, os.ttyname(terminal))
        except BaseException:
            self.end()
            raise
        finally:
            # Ours was kept open so that the reader sees no end before PID 1 has opened the other one.
            self._terminal = terminal

    def _start(self, programs: Programs, units: Mapping[str, str], boot: Boot, terminal: str) -> None:
        root, shared = self._folder / "root", self._folder / "shared"
        shared.mkdir()
        make(root, programs, {"agent": AGENT_UNIT, **units})
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(shared / "agent"))
        listener.listen(1)
        options = [f"root={root}", f"shared={shared}"]
        options += [f"console={terminal}"] if boot.console != "absent" else []
        options += ["user=yes"] if os.geteuid() != 0 else []
        options += [f"refuse=clone3:{boot.clone3}"] if boot.clone3 else []
        options += ["dirty=yes"] if boot.dirty else []
        options += ["kmsg=masked"] if boot.kmsg_masked else []
        options += ["mounted=yes"] if boot.mounted else []
        place = cgroup_place() if boot.cgroup2 else None
        if place:
            self._cgroup = Path(tempfile.mkdtemp(prefix="thole-pid1-", dir=place))
            options.append(f"cgroup={self._cgroup}")
        else:
            options.append("cgroup2=missing")
        if boot.console == "read":
            self._reader = threading.Thread(target=self._read_console, daemon=True)
            self._reader.start()
        self._launcher = subprocess.Popen(
            [programs.actor, "enter", *options, "--", "/sbin/init"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True, preexec_fn=die_with(os.getpid()),
        )  # fmt: skip
        assert self._launcher.stdout
        first = self._launcher.stdout.readline()
        assert first, f"no namespaces: {self._complaint()}"
        self.pid = int(first)
        self.agent = self._accept(listener)

    def _accept(self, listener: socket.socket) -> Agent:
        """The agent connects to us, so there is nothing to ask again and again."""
        limit = time.monotonic() + STARTED
        listener.settimeout(0.25)
        with listener:
            while True:
                try:
                    stream, _ = listener.accept()
                except TimeoutError:
                    assert self.alive(), f"the machine ended: {self.explain()}\n{self._complaint()}"
                    assert time.monotonic() < limit, f"no agent after {STARTED} s:\n{self.explain()}"
                    continue
                stream.settimeout(None)
                agent = Agent(stream)
                agent.wait_for(lambda: agent.hello, STARTED, "it said nothing")
                return agent

    def _complaint(self) -> str:
        assert self._launcher and self._launcher.stderr
        if self._launcher.poll() is None and not select.select([self._launcher.stderr], [], [], 1)[0]:
            return ""
        return os.read(self._launcher.stderr.fileno(), 65536).decode(errors="replace")

    def _read_console(self) -> None:
        while not self._stop.is_set():
            if not select.select([self._console], [], [], 0.2)[0]:
                continue
            try:
                data = os.read(self._console, 65536)
            except OSError:
                return
            self._shown += data

    def console(self) -> str:
        """What the pseudo terminal received."""
        return clean_console(bytes(self._shown))

    def unread_console(self) -> bytes:
        """What waits in a console that nobody read."""
        os.set_blocking(self._console, False)
        try:
            return os.read(self._console, 1 << 20)
        except BlockingIOError:
            return b""

    def signal_pid1(self, number: int) -> None:
        """From the parent namespace, where even SIGKILL and SIGSTOP would count."""
        os.kill(self.pid, number)

    def alive(self) -> bool:
        """Whether PID 1 runs."""
        return self._launcher is not None and self._launcher.poll() is None

    def wait_end(self, timeout: float) -> int:
        """The launcher ends as PID 1 ends."""
        assert self._launcher
        try:
            return self._launcher.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the machine still runs after {timeout:.0f} s:\n{self.explain()}") from None

    def end(self) -> None:
        """Kill PID 1, and with it every process of its namespace; then remove its cgroups and files."""
        if self._launcher:
            if self._launcher.poll() is None and hasattr(self, "pid"):
                os.kill(self.pid, signal.SIGKILL)
            elif self._launcher.poll() is None:
                self._launcher.kill()
            self._launcher.wait()
            for pipe in (self._launcher.stdout, self._launcher.stderr):
                if pipe:
                    pipe.close()
        self._stop.set()
        if self._reader:
            self._reader.join()
        if hasattr(self, "agent"):
            self.agent.close()
        for name in ("_console", "_terminal"):
            if hasattr(self, name):
                os.close(getattr(self, name))
                delattr(self, name)
        if self._cgroup:
            remove_cgroups(self._cgroup)
        shutil.rmtree(self._folder, ignore_errors=True)


def remove_cgroups(path: Path) -> None:
    """Remove a tree of cgroups, the deepest first. Its processes were killed; their last breath may take a moment."""
    limit = time.monotonic() + 10
    while True:
        for directory, _, _ in os.walk(path, topdown=False):
            try:
                os.rmdir(directory)
            except OSError:
                pass
        if not path.exists() or time.monotonic() > limit:
            return
        time.sleep(0.02)


@cache
def cgroup_place() -> Path | None:
    """A directory of cgroup2 below which we may make cgroups; None where there is none."""
    own = ""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        if line.startswith("0::"):
            own = line[3:]
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        words = line.split()
        if words[words.index("-") + 1] != "cgroup2":
            continue
        place = Path(words[4] + own)
        if os.access(place / "cgroup.procs", os.W_OK) and os.access(place, os.W_OK):
            return place
    return None


@cache
def features() -> dict[str, str]:
    """What this kind of machine lacks here: name of the feature and why."""
    lacking = {
        "clock": "a namespace has no wall clock of its own",
        "kernel-log": "a namespace has no kernel log of its own",
        "hardware": "a namespace has no kernel, serial port or power of its own",
    }
    place = cgroup_place()
    if place is None:
        lacking["cgroup2"] = "this host lets us make no cgroup2 of our own"
        lacking["memory"] = lacking["pids"] = lacking["cgroup2"]
        return lacking
    there = (place / "cgroup.subtree_control").read_text().split()
    for controller in ("memory", "pids"):
        if controller not in there:
            lacking[controller] = f"this host's cgroup2 hands no {controller} controller down"
    return lacking
