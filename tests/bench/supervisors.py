"""All measurements of one supervisor."""

from __future__ import annotations

import statistics
import subprocess
from collections.abc import Callable
from typing import NamedTuple

from bench import linux, measures
from bench.peers.peer import Peer
from bench.peers.finit import Finit
from bench.peers.inittab import Busybox, Sysvinit
from bench.peers.openrc import OpenRC
from bench.peers.runit import Runit
from bench.peers.s6 import S6
from bench.peers.systemd import Systemd
from bench.peers.thole import Thole
from bench.table import Line, Value
from driver.errors import TholeError

MEMORY_COUNTS = (10, 20, 100, 1000)
ORPHANS_BESIDE = 20

LINES = (
    Line("binaries", "binaries, bytes"),
    Line("libraries", "binaries and the libraries they load, bytes"),
    *(Line(f"{kind} {count}", f"{kind}, {count:,} services, kB")
      for kind in ("VmRSS", "RssAnon", "PSS") for count in MEMORY_COUNTS),
    *(Line(f"{kind} each", f"{kind} a further service, kB", 2) for kind in ("VmRSS", "RssAnon", "PSS")),
    Line("own 20", "RssAnon of PID 1 alone, 20 services, kB"),
    Line("own 1000", "RssAnon of PID 1 alone, 1,000 services, kB"),
    Line("start 10", "start of 10 services, ms", 1),
    Line("start 100", "start of 100 services, ms", 1),
    Line("start 1000", "start of 1,000 services, ms", 1),
    Line("restart median", "SIGKILL to main() of the next, median, ms", 2),
    Line("restart p95", "SIGKILL to main() of the next, p95, ms", 2),
    Line("stop 1000", "stop of 1,000 services, ms", 1),
    Line("orphans", "10,000 orphans reaped beside 20 services, ms", 1),
    Line("instructions", "instructions of PID 1 until 10 services run, thousands"),
    Line("wake-ups", "idle wake-ups of PID 1 a minute"),
    Line("all wake-ups", "idle wake-ups of all its processes a minute"),
)  # fmt: skip


class Effort(NamedTuple):
    """How much is measured."""

    rounds: int
    restarts: int
    orphans: int
    idle: float  # seconds
    steps: int  # most instructions that are counted, 0 = none; a million take some four seconds


FULL = Effort(rounds=5, restarts=100, orphans=10_000, idle=60, steps=20_000_000)
QUICK = Effort(rounds=1, restarts=20, orphans=10_000, idle=10, steps=0)

Results = dict[str, Value]
Say = Callable[[str], None]


def peers() -> list[Peer]:
    """thole first, then by name."""
    return [Thole(), Busybox(), Finit(), OpenRC(), Runit(), S6(), Systemd(), Sysvinit()]


# A measurement that fails in one of these ways costs its figure, not the run.
FAILURES = (TholeError, OSError, subprocess.SubprocessError)


def reason(failure: Exception, name: str) -> str:
    """Why a figure is missing, in a line."""
    short = name.partition(" ")[0]
    text = failure.what if isinstance(failure, TholeError) else str(failure)
    return f"{name}: {text.strip().splitlines()[0].removeprefix(short + ': ')}"


def measure(peer: Peer, effort: Effort, say: Say) -> Results:
    """Everything but the idle wake-ups, which are measured for all at once."""
    results: Results = {}
    results["binaries"], results["libraries"] = peer.bytes()
    for count in MEMORY_COUNTS:
        say(f"{peer.name}: {count} services")
        _count(peer, count, effort, results)
    if effort.steps:
        say(f"{peer.name}: instruction by instruction")
        _instructions(peer, effort.steps, results)
    for kind in ("VmRSS", "RssAnon", "PSS"):
        many, few = results.get(f"{kind} 1000"), results.get(f"{kind} 100")
        if isinstance(many, float | int) and isinstance(few, float | int):
            results[f"{kind} each"] = (many - few) / 900
    return results


def _instructions(peer: Peer, most: int, results: Results) -> None:
    with peer.make(10) as space:
        try:
            results["instructions"] = space.steps(peer.command, 10, most) / 1000
        except FAILURES as trouble:
            results["instructions"] = reason(trouble, peer.name)


def _count(peer: Peer, count: int, effort: Effort, results: Results) -> None:
    """The measurements with a number of services; one that fails keeps the later ones from its round."""
    whole = count == max(MEMORY_COUNTS)
    starts: list[float] = []
    stops: list[float] = []
    with peer.make(count) as space:
        for turn in range(min(effort.rounds, peer.rounds)):
            step = f"start {count}"
            try:
                starts.append(measures.start(space, peer, count))
                if turn == 0:
                    step = f"PSS {count}"
                    memory = measures.memory(space)
                    for kind, value in zip(("VmRSS", "RssAnon", "PSS"), memory, strict=True):
                        results[f"{kind} {count}"] = value
                    results[f"own {count}"] = linux.memory_of([space.pid]).anonymous
                if turn == 0 and whole:
                    step = "restart median"
                    taken = measures.restarts(space, peer, effort.restarts)
                    results["restart median"], results["restart p95"] = taken
                if turn == 0 and count == ORPHANS_BESIDE:
                    step = "orphans"
                    results["orphans"] = measures.orphans(space, effort.orphans)
                if whole:
                    step = "stop 1000"
                    stops.append(measures.stop(space, peer))
            except FAILURES as trouble:
                results.setdefault(step, reason(trouble, peer.name))
            space.end()
    for key, values in ((f"start {count}", starts), (f"stop {count}", stops)):
        if values:
            results[key] = statistics.median(values)


def idle(chosen: list[tuple[Peer, int]], effort: Effort, results: dict[str, Results]) -> None:
    """Wake-ups of all, idling side by side, each with its number of services."""
    spaces = []
    running = []
    try:
        for peer, count in chosen:
            space = peer.make(count)
            spaces.append(space)
            try:
                measures.start(space, peer, count)
                running.append((peer, space))
            except FAILURES as trouble:
                results[peer.name]["wake-ups"] = reason(trouble, peer.name)
        found = measures.wakeups([space for _, space in running], effort.idle)
        for (peer, _), woken in zip(running, found, strict=True):
            results[peer.name]["wake-ups"], results[peer.name]["all wake-ups"] = woken.first, woken.all
    finally:
        for space in spaces:
            space.__exit__()
