"""A flood of frames at a rate, made by the switch itself: what strangers with a fast line would send."""

from __future__ import annotations

import time
from typing import Any

from qemu.cluster.frames import wrap
from qemu.cluster.port import Port

BLOCK = 32  # frames that go to a port at once
PAUSE = 0.001  # seconds between looks at the clock


class Flood:
    """Sends the same frames round and round to some ports until its time is over."""

    def __init__(self, ports: list[Port], frames: list[bytes], rate: float, seconds: float) -> None:
        wrapped = [wrap(frame) for frame in frames]
        self._blocks = [
            (b"".join(wrapped[at : at + BLOCK]), len(wrapped[at : at + BLOCK]))
            for at in range(0, len(wrapped), BLOCK)
        ]
        self.ports = ports
        self.rate = rate
        self.seconds = seconds
        self.pause = PAUSE
        self.offered = self.dropped = 0  # frames a port, on average over the ports
        self._begun = time.monotonic()
        self._next = 0

    @property
    def elapsed(self) -> float:
        """Seconds since its start."""
        return min(time.monotonic() - self._begun, self.seconds)

    @property
    def over(self) -> bool:
        """Whether its time has passed."""
        return time.monotonic() - self._begun >= self.seconds

    def go_on(self) -> None:
        """Send what is due by now; never more than a tenth of a second's worth at once."""
        due = min(int(self.rate * self.elapsed) - self.offered, int(self.rate / 10) + 1)
        before = sum(port.dropped for port in self.ports)
        while due > 0:
            block, count = self._blocks[self._next % len(self._blocks)]
            self._next += 1
            for port in self.ports:
                port.send(block, count)
            self.offered += count
            due -= count
        self.dropped += sum(port.dropped for port in self.ports) - before

    def report(self) -> dict[str, Any]:
        """How it went, or goes: frames a port that were offered, and those no receiver took, of all ports."""
        passed = max(self.elapsed, 0.001)
        taken = self.offered - self.dropped / max(len(self.ports), 1)
        return {
            "offered": self.offered,
            "dropped": self.dropped,
            "seconds": passed,
            "rate": self.offered / passed,
            "taken": taken / passed,
            "over": self.over,
        }
