"""A machine whose PID 1 is thole: what a case may do with it, however it is made."""

from __future__ import annotations

import dataclasses
import errno
import re
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pid1.agent import Agent, AgentGone, Command, Completed

from qemu.console import clean, find_trouble

PATIENCE = 30.0
LONGEST_PAUSE = 0.1
AT_REST = ("ready", "done", "skipped", "failed", "stopped", "idle")


@dataclass(frozen=True)
class Boot:
    """How a machine of its own is started. What only a launcher outside can do needs the feature `launcher`."""

    clone3: int = 0  # errno with which clone3 is refused
    dirty: bool = False  # PID 1 starts with blocked and ignored signals, descriptors and an OOM score
    kmsg_masked: bool = False  # /dev/null is mounted over /dev/kmsg
    cgroup2: bool = True
    mounted: bool = False  # /run, /tmp and cgroup2 are mounted before PID 1 starts
    console: str = "read"  # read, stuck (nobody reads it) or absent
    command_line: str = ""  # a VM's: added to the kernel's
    devices: tuple[str, ...] = ()  # a VM's: more arguments for QEMU
    data_disk: bool = False  # a VM's: /var is a disk (ext4) instead of memory


@dataclass
class Unit:
    """A line of PID 1's answer to `status`."""

    name: str
    state: str = ""
    pid: int = -1
    since: int = -1
    took: int = -1
    restarts: int = 0
    exit: str = ""
    oom: int = 0
    status: str = ""
    reason: str = ""
    more: dict[str, str] = field(default_factory=dict)


class Machine(ABC):
    """A running machine and its agent."""

    kind = ""
    agent: Agent

    def __init__(self) -> None:
        self._events: Command | None = None
        self._seen = 0
        self.checked = 0  # characters of the console that are another case's
        self.excused: list[str] = []  # expressions for trouble on the console that a case provokes

    # -- what each kind of machine does in its own way ----------------------------------------------------------------

    @abstractmethod
    def console(self) -> str:
        """All that the console has shown."""

    @abstractmethod
    def signal_pid1(self, number: int) -> None:
        """A signal to PID 1 from the place that has most rights to send it."""

    @abstractmethod
    def alive(self) -> bool:
        """Whether it still runs."""

    @abstractmethod
    def wait_end(self, timeout: float) -> int:
        """Until the machine has ended; 0 where it ended in order."""

    @abstractmethod
    def end(self) -> None:
        """End it at once and take everything away."""

    # -- commands and files -------------------------------------------------------------------------------------------

    def run(self, *argv: str, timeout: float = 60) -> Completed:
        """Run a program to its end."""
        return self.agent.run(*argv, timeout=timeout)

    def act(self, *words: str, timeout: float = 60) -> str:
        """The actor plays a part that must succeed; what it says."""
        done = self.run("/usr/bin/actor", *words, timeout=timeout)
        assert done.code == 0, f"actor {' '.join(words)} ended with {done.code}: {done.stdout}{done.stderr}"
        return done.stdout

    def begin(self, *words: str) -> Command:
        """The actor starts to play a part."""
        return self.agent.begin("/usr/bin/actor", *words)

    def thole(self, *words: str, timeout: float = 60) -> Completed:
        """The command line."""
        return self.run("/usr/bin/thole", *words, timeout=timeout)

    def ask(self, *words: str, timeout: float = 60) -> Completed:
        """One request to PID 1, past the command line; the code is 0 for `ok`, 1 for an error, 2 for no answer."""
        limit = time.monotonic() + timeout
        while True:
            done = self.agent.ask(" ".join(words)).wait(timeout)
            if done.code != -errno.EAGAIN or time.monotonic() > limit:
                break
            self.agent.wait_change(LONGEST_PAUSE)  # its queue was full
        code = 2 if done.code else {"ok\n": 0, "err": 1}.get(done.stdout[:3], 2)
        return Completed(code, done.stdout, done.stderr)

    def read(self, path: str) -> str:
        """A file."""
        return self.agent.read(path)

    def write(self, path: str, text: str) -> None:
        """Write a file."""
        self.agent.write(path, text)

    def exists(self, path: str) -> bool:
        """Whether a file or directory can be opened."""
        try:
            self.agent.read(path)
        except IsADirectoryError:
            return True
        except OSError:
            return False
        return True

    def names(self, path: str) -> list[str]:
        """What is in a directory; links with their targets."""
        return self.act("list", path).splitlines()

    def signal(self, pid: int, number: int) -> None:
        """A signal from inside the machine."""
        self.agent.signal(pid, number)

    # -- PID 1's own account -------------------------------------------------------------------------------------------

    def units(self) -> dict[str, Unit]:
        """Every unit by name."""
        done = self.ask("status")
        assert done.code == 0, f"PID 1 does not answer: {done}"
        return {unit.name: unit for unit in map(parse_unit, done.stdout.splitlines()[1:])}

    def unit(self, name: str) -> Unit:
        """One unit."""
        units = self.units()
        assert name in units, f"there is no unit {name}, only {sorted(units)}"
        return units[name]

    def start(self, *names: str) -> None:
        """Ask for units to be started; see `wait`."""
        for name in names:
            done = self.ask("start", name)
            assert done.code == 0, f"start {name}: {done.stdout}"

    def stop(self, name: str, timeout: float = PATIENCE) -> Unit:
        """Stop a unit and wait until it is."""
        done = self.ask("stop", name)
        assert done.code == 0, f"stop {name}: {done.stdout}"
        return self.wait(name, "stopped", timeout=timeout)

    def wait(self, name: str, *states: str, timeout: float = PATIENCE) -> Unit:
        """Until a unit is in one of the states (no state: at rest)."""
        wanted = states or AT_REST
        return self.wait_unit(name, f"{' or '.join(wanted)}", lambda unit: unit.state in wanted, timeout)

    def wait_unit(self, name: str, what: str, holds: Callable[[Unit], bool], timeout: float = PATIENCE) -> Unit:
        """Until a unit is as wanted; the failure shows how it is instead."""
        found = self.unit(name)

        def looked() -> bool:
            nonlocal found
            found = self.unit(name)
            return holds(found)

        try:
            self.until(what, looked, timeout)
        except AssertionError:
            raise AssertionError(f"{name} is not {what} after {timeout:.0f} s: {found}") from None
        return found

    def until(self, what: str, holds: Callable[[], bool], timeout: float = PATIENCE) -> None:
        """Until `holds`: asked again at each event of PID 1, and a few times a second for what has no event."""
        limit = time.monotonic() + timeout
        self.follow()
        while not holds():
            assert time.monotonic() < limit, f"not {what} after {timeout:.0f} s"
            self.agent.wait_change(LONGEST_PAUSE)

    def follow(self) -> None:
        """Listen to PID 1's events from now on."""
        if self._events is None:
            self._events = self.agent.ask("events")

    def events(self) -> list[tuple[int, str, str, str]]:
        """Every event since `follow`: milliseconds, unit, state, reason."""
        if self._events is None:
            return []
        lines = self._events.stdout.split("\n")
        rows = [line.split("\t") for line in lines[1:-1]]
        return [(int(row[0]), row[1], row[2], "\t".join(row[3:])) for row in rows if len(row) >= 4]

    def states_of(self, name: str) -> list[str]:
        """The states that a unit went through since `follow`."""
        return [state for _, unit, state, _ in self.events() if unit == name]

    def info(self) -> dict[str, str]:
        """PID 1's answer to `info`."""
        done = self.ask("info")
        assert done.code == 0, f"PID 1 does not answer `info`: {done.stdout}"
        return dict(line.split("=", 1) for line in done.stdout.splitlines()[1:])

    def log(self, name: str) -> str:
        """What stands in a service's current log file."""
        try:
            return self.read(f"/var/log/thole/{name}.log")
        except FileNotFoundError:
            return ""

    def wait_log(self, name: str, text: str, timeout: float = PATIENCE) -> None:
        """Until a service's log holds a text."""
        self.until(f"'{text}' in the log of {name}", lambda: text in self.log(name), timeout)

    def wait_console(self, pattern: str, timeout: float = PATIENCE) -> re.Match[str]:
        """Until the console shows an expression."""
        limit = time.monotonic() + timeout
        while True:
            running = self.alive()
            found = re.search(pattern, self.console(), re.MULTILINE)
            if found:
                return found
            assert running, f"the machine ended, and its console never showed `{pattern}`"
            assert time.monotonic() < limit, f"the console does not show `{pattern}` after {timeout:.0f} s"
            self.agent.wait_change(LONGEST_PAUSE)

    # -- units that come and go with a case ----------------------------------------------------------------------------

    def load(self, units: Mapping[str, str]) -> Completed:
        """Write unit files for this boot and have PID 1 read them."""
        self.agent.write_many({unit_path(name): text for name, text in units.items()})
        return self.ask("reload")

    def unload(self, *names: str) -> Completed:
        """Take unit files away again; PID 1 stops what they started."""
        self.act("remove", *map(unit_path, names))
        return self.ask("reload")

    # -- the state of the whole ----------------------------------------------------------------------------------------

    def zombies(self) -> list[str]:
        """Processes that have ended and were not reaped, but for those that still have a parent of their own."""
        return self.agent.zombies()

    def until_reaped(self, timeout: float) -> None:
        """Until no zombie is PID 1's, which may not answer any more."""
        limit = time.monotonic() + timeout
        while self.zombies():
            assert time.monotonic() < limit, f"not reaped after {timeout:.0f} s: {len(self.zombies())}"
            self.agent.wait_change(LONGEST_PAUSE)

    def processes(self) -> dict[int, list[str]]:
        """Command lines by pid."""
        found = {}
        for name in self.names("/proc"):
            try:
                text = self.read(f"/proc/{name}/cmdline") if name.isdigit() else ""
            except OSError:
                continue
            if text:
                found[int(name)] = text.rstrip("\0").split("\0")
        return found

    def check(self) -> None:
        """A healthy machine: PID 1 answers, nothing is left to reap, and the console shows no trouble."""
        self.until_reaped(20)
        assert self.units()
        self.check_console()

    def check_console(self) -> None:
        """No panic, Oops or warning on the console but what the case provokes."""
        lines = find_trouble(self.console()[self.checked :], self.excused)
        assert not lines, f"the console shows trouble: {lines}"

    def explain(self) -> str:
        """The end of the console, for a failure."""
        lines = [line for line in self.console().split("\n") if line.strip()][-60:]
        return "\n".join(lines)

    def power_off(self, timeout: float = 60) -> int:
        """SIGTERM to PID 1, and the end."""
        try:
            self.signal_pid1(signal.SIGTERM)
        except AgentGone:
            pass
        return self.wait_end(timeout)


def unit_path(name: str) -> str:
    """Where a unit lies that is for this boot alone."""
    return f"/run/thole/units/{name}.unit"


def parse_unit(line: str) -> Unit:
    """A line of `status`: NAME=VALUE fields, tabs between them."""
    values = {}
    for part in line.split("\t"):
        name, _, value = part.partition("=")
        values[name] = value
    if "name" not in values:
        columns = line.split("\t")
        values = dict(zip(("name", "state", "pid", "since", "took", "restarts", "description", "reason"), columns, strict=True))
    unit = Unit(values["name"])
    for one in dataclasses.fields(Unit):
        if one.name in values and one.name != "more":
            setattr(unit, one.name, type(getattr(unit, one.name))(values.pop(one.name)))
    unit.more = values
    return unit


def clean_console(raw: bytes) -> str:
    """Console bytes as text."""
    return clean(raw)
