"""Lines of JSON over a unix socket, with a deadline for every wait: what QMP and the guest agent share."""

from __future__ import annotations

import json
import os
import select
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from driver.errors import TholeError

RECEIVE = 65536


class ChannelClosed(TholeError):
    """The other side of the socket is gone."""


class ChannelTimeout(TholeError):
    """The other side did not answer in time."""


class Channel:
    """A connected socket that carries one JSON object a line."""

    def __init__(self, name: str, connection: socket.socket) -> None:
        self.name = name
        self._socket = connection
        self._socket.setblocking(False)
        self._buffer = b""

    @classmethod
    def connect(cls, name: str, path: Path, timeout: float, alive: Callable[[], bool]) -> Channel:
        """Connect to the unix socket at `path`, which may still have to appear, while `alive()` holds."""
        limit = time.monotonic() + timeout
        while True:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
            try:
                connection.connect(os.fspath(path))
                return cls(name, connection)
            except (FileNotFoundError, ConnectionRefusedError):
                connection.close()
            if not alive():
                raise ChannelClosed(f"QEMU ended before its {name} socket {path} was there")
            if time.monotonic() > limit:
                raise ChannelTimeout(f"the {name} socket {path} did not appear within {timeout:.0f} s")
            time.sleep(0.02)

    def send(self, message: dict[str, Any], prefix: bytes = b"", timeout: float = 30) -> None:
        """Send one message; `prefix` goes in front of it as it is."""
        self.send_bytes(prefix + json.dumps(message, separators=(",", ":")).encode() + b"\n", timeout)

    def send_bytes(self, data: bytes, timeout: float = 30) -> None:
        """Send all of `data`, however slowly the other side reads."""
        limit = time.monotonic() + timeout
        view = memoryview(data)
        while view:
            left = limit - time.monotonic()
            if left <= 0 or not select.select([], [self._socket], [], left)[1]:
                raise ChannelTimeout(f"{self.name}: nothing reads the messages since {timeout:.0f} s")
            try:
                view = view[self._socket.send(view) :]
            except (BrokenPipeError, ConnectionResetError) as error:
                raise ChannelClosed(f"{self.name}: the connection is gone ({error.strerror})") from error

    def receive(self, timeout: float) -> dict[str, Any]:
        """The next message; ChannelTimeout when none came in time."""
        limit = time.monotonic() + timeout
        while True:
            line, found, rest = self._buffer.partition(b"\n")
            if found:
                self._buffer = rest
                message = decode(line)
                if message is not None:
                    return message
                continue
            left = limit - time.monotonic()
            if left <= 0 or not select.select([self._socket], [], [], left)[0]:
                raise ChannelTimeout(f"{self.name}: no answer within {timeout:.0f} s")
            try:
                data = self._socket.recv(RECEIVE)
            except ConnectionResetError:
                data = b""
            if not data:
                raise ChannelClosed(f"{self.name}: the connection was closed")
            self._buffer += data

    def close(self) -> None:
        """Close the socket; safe to repeat."""
        self._socket.close()


def decode(line: bytes) -> dict[str, Any] | None:
    """The object in a line; None for an empty line or what is left of a message that was cut in two.

    The guest agent puts 0xFF in front of an answer to a sync; whatever stands before it is old.
    """
    line = line.rpartition(b"\xff")[2].strip()
    if not line:
        return None
    try:
        message = json.loads(line)
    except ValueError:
        return None
    return message if isinstance(message, dict) else None
