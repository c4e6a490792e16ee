"""One port of the switch: a unix socket that QEMU connects a network card to, and what waits for it."""

from __future__ import annotations

import os
import socket
from collections import deque
from pathlib import Path

# What is read at once; it must hold the longest frame.
READ = 1 << 18
# What may wait for a slow receiver. As a switch of metal does, it then drops.
QUEUE = 1 << 20
BATCH = 64  # pieces a sendmsg


class Port:
    """A place to plug a network card in. It listens until one is there, and again when that has gone."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.path = path
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self.listener.bind(os.fspath(path))
        self.listener.listen(1)
        self.listener.setblocking(False)
        self.connection: socket.socket | None = None
        self.plugged = True
        self.group: int | None = None  # of a partition; None: in touch with all
        self.buffer = bytearray(READ)
        self.view = memoryview(self.buffer)
        self.filled = 0  # bytes of the buffer that are a frame's beginning
        self.received = self.sent = self.dropped = 0  # frames
        self.bytes_received = self.bytes_sent = 0
        self._waiting: deque[memoryview] = deque()
        self._queued = 0

    @property
    def waits(self) -> bool:
        """Whether something is left to send."""
        return bool(self._waiting)

    def plug(self, connection: socket.socket) -> None:
        """A network card is there; what was for an earlier one is gone."""
        connection.setblocking(False)
        self.connection = connection
        self.filled = 0
        self._waiting.clear()
        self._queued = 0

    def take_off(self) -> None:
        """The network card has gone."""
        if self.connection:
            self.connection.close()
        self.connection = None

    def send(self, run: memoryview | bytes, count: int) -> None:
        """Send `count` wrapped frames, now or when the receiver has room; drop them where too much waits."""
        if not self.connection or self._queued > QUEUE:
            self.dropped += count
            return
        self.sent += count
        self.bytes_sent += len(run)
        done = 0
        if not self._waiting:
            try:
                done = self.connection.send(run)
            except BlockingIOError:
                pass
            except OSError:
                return  # it goes; reading from it says so too
            if done == len(run):
                return
        # The buffer behind `run` is used again. Whole runs wait, since half a frame must never be lost.
        rest = memoryview(bytes(run[done:]))
        self._waiting.append(rest)
        self._queued += len(rest)

    def flush(self) -> None:
        """Send what waits, as far as the receiver takes it."""
        while self._waiting and self.connection:
            try:
                done = self.connection.sendmsg([self._waiting[i] for i in range(min(BATCH, len(self._waiting)))])
            except BlockingIOError:
                return
            except OSError:
                self._waiting.clear()
                self._queued = 0
                return
            self._queued -= done
            while done:
                first = self._waiting[0]
                if done < len(first):
                    self._waiting[0] = first[done:]
                    return
                done -= len(first)
                self._waiting.popleft()

    def close(self) -> None:
        """Take the port away."""
        self.take_off()
        self.listener.close()
        self.path.unlink(missing_ok=True)
