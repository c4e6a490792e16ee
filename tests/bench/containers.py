"""All measurements of an init for one command."""

from __future__ import annotations

import statistics

from bench import measures
from bench.peers.container import ContainerInit, NoInit
from bench.supervisors import FAILURES, Effort, Results, Say, reason
from bench.table import Line

LINES = (
    Line("binaries", "binary, bytes"),
    Line("libraries", "binary and the libraries it loads, bytes"),
    Line("VmRSS", "VmRSS, kB"),
    Line("RssAnon", "RssAnon, kB"),
    Line("PSS", "PSS, kB"),
    Line("start", "start overhead over the command as PID 1, ms", 3),
    Line("orphans", "10,000 orphans reaped, ms", 1),
    Line("wake-ups", "idle wake-ups of PID 1 a minute"),
)
_STARTS = 100


def direct_start() -> float:
    """Exec to main() of the service as PID 1 itself, in ms: the median."""
    return _starts(NoInit())


def _starts(peer: ContainerInit) -> float:
    taken = []
    with peer.make(1) as space:
        for _ in range(_STARTS):
            taken.append(measures.start(space, peer, 1))
            space.end()
    return statistics.median(taken)


def measure(peer: ContainerInit, effort: Effort, direct: float, say: Say) -> Results:
    """Everything but the idle wake-ups."""
    results: Results = {}
    results["binaries"], results["libraries"] = peer.bytes()
    say(f"{peer.name}: start, memory, orphans")
    step = "start"
    try:
        results["start"] = max(0.0, _starts(peer) - direct)
        with peer.make(1) as space:
            measures.start(space, peer, 1)
            step = "PSS"
            results["VmRSS"], results["RssAnon"], results["PSS"] = measures.memory(space)
            step = "orphans"
            results["orphans"] = measures.orphans(space, effort.orphans)
    except FAILURES as trouble:
        results[step] = reason(trouble, peer.name)
    return results
