"""Ports of the switch: sockets that network cards are connected to, and what waits for them.

A VM's card has datagrams, one a frame (`-netdev dgram`): QEMU takes a next one only when the guest took the last, so a
guest that is too slow loses frames here, as it would on metal. Over a stream (`-netdev stream`) QEMU reads on and keeps
what the guest does not take, without bound (seen with 10.0: five seconds of a flood of twice what the guest took were
delivered over ten). Streams carry many frames a read and are faster, so they are for probes, for gateways, and for VMs
whose throughput is measured.
"""

from __future__ import annotations

import os
import socket
from collections import deque
from pathlib import Path

from qemu.cluster.frames import LENGTH, LONGEST, split

# What is read at once; it must hold the longest frame.
READ = 1 << 18
# What may wait for a slow receiver. As a switch of metal does, it then drops.
QUEUE = 256 << 10
BATCH = 64  # pieces a sendmsg


class Port:
    """What all ports have. `connection` is there while something is plugged in."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.path = path
        self.connection: socket.socket | None = None
        self.plugged = True  # False: as if its cable were out
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
        """Something is there; what was for an earlier one is gone."""
        connection.setblocking(False)
        self.connection = connection
        self.filled = 0
        self._forget()

    def take_off(self) -> None:
        """It has gone."""
        if self.connection:
            self.connection.close()
        self.connection = None
        self._forget()

    def read(self) -> int:
        """Read more behind `filled`, as wrapped frames; the bytes, 0 at the end. BlockingIOError: nothing there."""
        raise NotImplementedError

    def send(self, run: memoryview | bytes, count: int) -> None:
        """Send `count` wrapped frames, now or when the receiver has room; drop them where too much waits."""
        raise NotImplementedError

    def flush(self) -> None:
        """Send what waits, as far as the receiver takes it."""
        raise NotImplementedError

    def close(self) -> None:
        """Take the port away."""
        self.take_off()
        self.path.unlink(missing_ok=True)

    def _wait(self, data: memoryview | bytes) -> None:
        # The buffer behind `data` is used again.
        self._waiting.append(memoryview(bytes(data)))
        self._queued += len(data)

    def _forget(self) -> None:
        self._waiting.clear()
        self._queued = 0


class StreamPort(Port):
    """A stream with a length in front of each frame. It listens for something to connect, and for the next."""

    def __init__(self, name: str, path: Path) -> None:
        super().__init__(name, path)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self.listener.bind(os.fspath(path))
        self.listener.listen(1)
        self.listener.setblocking(False)

    def read(self) -> int:
        assert self.connection
        return self.connection.recv_into(self.view[self.filled :])

    def send(self, run: memoryview | bytes, count: int) -> None:
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
        self._wait(run[done:])  # all of it, since half a frame must never be lost

    def flush(self) -> None:
        while self._waiting and self.connection:
            try:
                done = self.connection.sendmsg([self._waiting[at] for at in range(min(BATCH, len(self._waiting)))])
            except BlockingIOError:
                return
            except OSError:
                self._forget()
                return
            self._queued -= done
            while done:
                first = self._waiting[0]
                if done < len(first):
                    self._waiting[0] = first[done:]
                    break
                done -= len(first)
                self._waiting.popleft()

    def close(self) -> None:
        super().close()
        self.listener.close()


class CardPort(Port):
    """A VM's network card. Both sides have a socket with a name: ours is `path`, QEMU's `card`."""

    def __init__(self, name: str, path: Path) -> None:
        super().__init__(name, path)
        self.card = path.with_name(f"{path.name}-card")

    def expect(self) -> None:
        """Have a socket of our own, before QEMU starts."""
        self.path.unlink(missing_ok=True)
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        connection.bind(os.fspath(self.path))
        self.plug(connection)

    def attach(self) -> None:
        """Connect to QEMU's socket: from now on the card gets frames."""
        if not self.connection:
            raise ValueError(f"port {self.name} does not expect a card")
        self.connection.connect(os.fspath(self.card))

    def read(self) -> int:
        assert self.connection
        at = 0
        try:
            while at + 4 + LONGEST <= READ:
                size = self.connection.recv_into(self.view[at + 4 :])
                LENGTH.pack_into(self.buffer, at, size)
                at += 4 + size
        except BlockingIOError:
            if not at:
                raise
        return at

    def send(self, run: memoryview | bytes, count: int) -> None:
        for frame in split(run):
            if self._waiting:
                self._put(frame)
                continue
            try:
                self.connection.send(frame)  # type: ignore[union-attr]
                self._count(frame)
            except BlockingIOError:
                self._put(frame)
            except (OSError, AttributeError):  # no card yet, or no longer
                self.dropped += 1

    def flush(self) -> None:
        while self._waiting and self.connection:
            try:
                self.connection.send(self._waiting[0])
            except BlockingIOError:
                return
            except OSError:
                self._forget()
                return
            self._queued -= len(self._waiting.popleft())

    def close(self) -> None:
        super().close()
        self.card.unlink(missing_ok=True)

    def _put(self, frame: memoryview) -> None:
        if self._queued > QUEUE:
            self.dropped += 1
            return
        self._wait(frame)
        self._count(frame)

    def _count(self, frame: memoryview) -> None:
        self.sent += 1
        self.bytes_sent += len(frame)
