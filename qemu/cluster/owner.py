"""The process that a running cluster belongs to: shows it, takes commands from other terminals, ends it in order."""

from __future__ import annotations

import queue
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TextIO

from driver.errors import TholeError
from qemu.cluster import table
from qemu.cluster.cluster import POWEROFF_PATIENCE, Cluster
from qemu.cluster.door import Door, Request
from qemu.cluster.table import Watcher
from qemu.console import clean

FOLLOW = 0.1
REDRAW = 0.5
EXEC_TIMEOUT = 600.0


class Follower:
    """Prints what a console got since the last time, by whole lines with the node's name in front."""

    def __init__(self, name: str, path: Path, width: int) -> None:
        self.path = path
        self._prefix = f"{name:<{width}} | "
        self._at = 0

    def follow(self, stream: TextIO) -> None:
        """Print new lines; a file that is shorter than before is a new boot's."""
        try:
            with self.path.open("rb") as file:
                size = file.seek(0, 2)
                self._at = 0 if size < self._at else self._at
                file.seek(self._at)
                data = file.read()
        except FileNotFoundError:
            return
        end = data.rfind(b"\n") + 1
        self._at += end
        for line in clean(data[:end]).splitlines():
            stream.write(f"{self._prefix}{line}\n")
        if end:
            stream.flush()


class Screen:
    """The table on a terminal, drawn over itself; without a terminal the consoles, line by line."""

    def __init__(self, cluster: Cluster, watcher: Watcher) -> None:
        self.cluster = cluster
        self.watcher = watcher
        self.live = sys.stdout.isatty()
        self._drawn = 0
        self._next = 0.0
        width = max(map(len, [*cluster.nodes, cluster.spec.name]))
        self._own = f"{cluster.spec.name:<{width}} | "
        self._followers = [Follower(one.name, one.folder / "console.log", width) for one in cluster.nodes.values()]

    def show(self) -> None:
        """Bring it up to date; call it often."""
        if not self.live:
            for follower in self._followers:
                follower.follow(sys.stdout)
        elif time.monotonic() >= self._next:
            self._next = time.monotonic() + REDRAW
            self._draw()

    def say(self, text: str) -> None:
        """Lines that stay."""
        for line in text.splitlines():
            sys.stdout.write(("\r" + self._up() + "\x1b[J" if self.live else self._own) + line + "\n")
            self._drawn = 0
        sys.stdout.flush()
        self._next = 0

    def _draw(self) -> None:
        size = shutil.get_terminal_size()
        shown = table.lines(self.watcher.look(), size.columns - 1)[: size.lines - 2]
        sys.stdout.write("\r" + self._up() + "\x1b[J" + "\n".join(shown) + "\n")
        sys.stdout.flush()
        self._drawn = len(shown)

    def _up(self) -> str:
        return f"\x1b[{self._drawn}A" if self._drawn else ""


class Job:
    """A request that the main thread has to serve: VMs end with the thread that starts them."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.result: Any = None
        self.error: Exception | None = None
        self.done = threading.Event()

    def run(self, function: Callable[[Request], Any]) -> None:
        """Serve it, and let the one who waits go on."""
        try:
            self.result = function(self.request)
        except (TholeError, OSError, ValueError, KeyError, TypeError) as error:
            self.error = error
        self.done.set()


class Owner:
    """Runs a started cluster until it is stopped."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.jobs: queue.Queue[Job | None] = queue.Queue()  # None: a person wants to leave
        self.ended = False
        self.late: list[str] = []

    def run(self) -> int:
        """0 when all nodes ended in order and no console showed trouble."""
        with ExitStack() as stack:
            self.screen = Screen(self.cluster, stack.enter_context(self.watch()))
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                previous = signal.signal(number, lambda *_: self.jobs.put(None))
                stack.callback(signal.signal, number, previous)
            stack.enter_context(Door(self.cluster.spec.folder, self.handle))
            self.screen.say(greeting(self.cluster))
            self._loop()
        return self._verdict()

    def watch(self) -> Watcher:
        """The watcher whose rows `status` shows; to be entered."""
        self.watcher = Watcher(self.cluster)
        return self.watcher

    def handle(self, request: Request) -> Any:
        """One request, in the thread of its connection."""
        if request["command"] == "exec":
            return self._exec(request)
        if request["command"] == "status":
            return self.report()
        job = Job(request)
        self.jobs.put(job)
        while not job.done.wait(1):
            if self.ended and not job.done.wait(1):
                raise TholeError("the cluster ended before it came to this command")
        if job.error:
            raise job.error
        return job.result

    def report(self) -> dict[str, Any]:
        """What `status --json` prints."""
        spec = self.cluster.spec
        return {
            "name": spec.name,
            "network": self.cluster.wire.status() if self.cluster.wire.alive() else None,
            "api_port": self.cluster.api_port or None,
            "nodes": self.watcher.look(),
        }

    def _exec(self, request: Request) -> dict[str, Any]:
        argv = request["argv"]
        if not argv:
            raise TholeError("no command is given", "for instance: ./thole cluster exec node1 -- thole status")
        member = self.cluster.member(request["node"])
        if member.alive() and not member.answered:
            raise TholeError(f"{member.name} has not come up yet", f"its console: {member.folder / 'console.log'}")
        return member.execute(*argv, timeout=request.get("timeout") or EXEC_TIMEOUT)._asdict()

    def _loop(self) -> None:
        while not self.ended:
            self.screen.show()
            if not self.cluster.running() and all(one.state() == "ended" for one in self.cluster.nodes.values()):
                self.screen.say("all nodes have powered off")
                self.ended = True
                return
            if not self.cluster.wire.alive():
                self.screen.say("the switch has ended: the nodes have no network any more")
                self.ended = True
                return
            try:
                job = self.jobs.get(timeout=FOLLOW)
            except queue.Empty:
                continue
            if job:
                job.run(self._serve)
            else:
                self._stop({})

    def _serve(self, request: Request) -> Any:
        command = request["command"]
        function = getattr(self, f"_{command.replace('-', '_')}", None)
        if command not in COMMANDS or not function:
            raise TholeError(f"a running cluster has no command {command}")
        result = function(request)
        if command in SAID:
            words = [command, request.get("node", ""), show_groups(request.get("groups", []))]
            self.screen.say(" ".join(filter(None, words)))
        return result

    def _start(self, request: Request) -> None:
        self.cluster.start(request["node"])

    def _kill(self, request: Request) -> None:
        self.cluster.kill(request["node"])

    def _remake(self, request: Request) -> None:
        self.cluster.remake(request["node"])

    def _unplug(self, request: Request) -> None:
        self.cluster.unplug(request["node"])

    def _plug(self, request: Request) -> None:
        self.cluster.plug(request["node"])

    def _partition(self, request: Request) -> None:
        self.cluster.partition(request["groups"])

    def _heal(self, _request: Request) -> None:
        self.cluster.heal()

    def _loss(self, request: Request) -> None:
        self.cluster.wire.lose(request["share"])

    def _capture(self, request: Request) -> int:
        if request["path"]:
            self.cluster.capture(Path(request["path"]))
            return 0
        return self.cluster.wire.end_capture()

    def _stop(self, _request: Request) -> list[str]:
        """Power all nodes off while the screen goes on; a second Ctrl-C ends them at once."""
        self.screen.say(f"powering {len(self.cluster.running())} nodes off (again: at once)")
        self.cluster.press_power_buttons()
        limit = time.monotonic() + POWEROFF_PATIENCE
        while self.cluster.running() and time.monotonic() < limit:
            self.screen.show()
            try:
                job = self.jobs.get(timeout=FOLLOW)
            except queue.Empty:
                continue
            if job is None:
                break
            job.error = TholeError("the cluster is being stopped")
            job.done.set()
        self.late = [member.name for member in self.cluster.running()]
        self.screen.show()
        self.ended = True
        return self.late

    def _verdict(self) -> int:
        for name in self.late:
            self.screen.say(f"{name} did not power off and lost its power")
        found = self.cluster.trouble()
        if found:
            self.screen.say("\n".join([f"{len(found)} lines of trouble on the consoles:", *found[:20]]))
        return 1 if self.late or found or not self.cluster.wire.alive() else 0


COMMANDS = {"start", "kill", "remake", "unplug", "plug", "partition", "heal", "loss", "capture", "stop"}
SAID = COMMANDS - {"stop"}


def show_groups(groups: list[list[str]]) -> str:
    """node1,node2|node3."""
    return "|".join(",".join(group) for group in groups)


def greeting(cluster: Cluster) -> str:
    """What a person can do with it."""
    spec = cluster.spec
    option = "" if spec.name == "cluster" else f" --name {spec.name}"
    text = [
        f"{spec.nodes} nodes of {spec.memory >> 20} MiB on one network; to end them in order: Ctrl-C",
        f"consoles and data disks: {spec.folder}/NODE",
        f"in another terminal: ./thole cluster{option} exec node1 -- thole status",
        "                     also status, stop, kill, start, remake, plug, unplug (NODE), partition A,B|C, heal",
    ]
    if cluster.api_port:
        text.append(f"node1's API server: https://127.0.0.1:{cluster.api_port}")
    return "\n".join(text)
