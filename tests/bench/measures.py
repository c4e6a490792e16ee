"""What is measured of a supervisor: each function one measurement, in milliseconds, kilobytes or counts."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import time
from typing import NamedTuple

from bench import linux
from bench.peers.peer import Peer
from bench.space import Space, is_service, wait_ended

_QUIET = 0.5


class Latency(NamedTuple):
    """Of many: median and the value that 95 of 100 stay below."""

    median: float
    p95: float


def latency(values: list[float]) -> Latency:
    """Median and 95th percentile (nearest rank)."""
    ordered = sorted(values)
    rank = max(0, -(-95 * len(ordered) // 100) - 1)
    return Latency(statistics.median(ordered), ordered[rank])


def start(space: Space, peer: Peer, count: int) -> float:
    """Exec of PID 1 to main() of the last of all services, in ms."""
    space.start(peer.command)
    return space.wait_started(range(1, count + 1), peer.patience)


def settle(space: Space, timeout: float = 10) -> None:
    """Wait until the supervisors use no processor time any more."""
    deadline = time.monotonic() + timeout
    before = -1
    while time.monotonic() < deadline:
        used = sum(_ticks(process.pid) for process in space.supervisors())
        if used == before:
            return
        before = used
        time.sleep(_QUIET)


def _ticks(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def memory(space: Space) -> linux.Memory:
    """Of PID 1 and all other processes that are no services, in kB."""
    settle(space)
    return linux.memory_of([process.pid for process in space.supervisors()])


def restarts(space: Space, peer: Peer, count: int) -> Latency:
    """SIGKILL of a running service to main() of its successor, in ms; another service each time, one by one."""
    settle(space)
    time.sleep(peer.settle)
    pids = space.services()
    times = space.times()
    taken = []
    for number in sorted(pids)[:count]:
        before = time.monotonic_ns()
        os.kill(pids[number], signal.SIGKILL)
        taken.append((space.wait_restarted(number, times[number], 30) - before) / 1e6)
    return latency(taken)


def stop(space: Space, peer: Peer) -> float:
    """Request to the end of the last service, in ms. The tree's PID 1 is ended then."""
    settle(space)
    pids = [process.pid for process in space.processes() if is_service(process)]
    begin = time.monotonic()
    peer.request_stop(space)
    last, left = wait_ended(pids, peer.stop_time)
    if left:
        raise space.fail(f"{left} of {len(pids)} services run on {peer.stop_time:.0f} s after the stop was asked for")
    return (last - begin) * 1e3


def orphans(space: Space, count: int) -> float:
    """PID 1 is stopped, `count` orphans end, PID 1 goes on: from there until no zombie is left, in ms."""
    process = space.inside("/bench/orphans", str(count), "hold", stdin=subprocess.PIPE)
    try:
        _wait_for_children(process, space)
        os.kill(space.pid, signal.SIGSTOP)
        process.stdin.write("end\n")
        process.stdin.flush()
        if process.stdout.readline().strip() != "ended":
            raise space.fail("the orphans could not be made")
        os.kill(space.pid, signal.SIGCONT)
        begin = time.monotonic_ns()
        out, errors = process.communicate(timeout=90)
    except subprocess.TimeoutExpired:
        process.kill()
        raise space.fail(f"{count} orphans were not reaped within 90 s") from None
    if process.returncode != 0:
        raise space.fail(errors.strip())
    return (int(out) - begin) / 1e6


def _wait_for_children(process: subprocess.Popen[str], space: Space) -> None:
    if process.stdout.readline().strip() != "ready":
        raise space.fail(f"the orphans could not be made: {process.stderr.read().strip()}")


class Wakeups(NamedTuple):
    """Voluntary context switches a minute of PID 1, and of all supervisors together."""

    first: float
    all: float


def wakeups(spaces: list[Space], seconds: float) -> list[Wakeups]:
    """Of several that idle side by side."""
    for space in spaces:
        settle(space)
    time.sleep(2)
    watched = [[process.pid for process in space.supervisors()] for space in spaces]
    before = [[linux.switches(pid) for pid in pids] for pids in watched]
    time.sleep(seconds)
    found = []
    for pids, old in zip(watched, before, strict=True):
        new = [linux.switches(pid) for pid in pids]
        minute = 60 / seconds
        found.append(Wakeups((new[0] - old[0]) * minute, (sum(new) - sum(old)) * minute))
    return found

