"""QEMU's own control socket: buttons, keys, status, events."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from driver.errors import TholeError
from qemu.channel import Channel, ChannelClosed, ChannelTimeout

CTRL_ALT_DELETE = ("ctrl", "alt", "delete")


class QmpError(TholeError):
    """QEMU refused a command."""


class Qmp:
    """A connection to QEMU's monitor, ready for commands."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._events: list[dict[str, Any]] = []

    @classmethod
    def connect(cls, path: Path, alive: Callable[[], bool], timeout: float = 30) -> Qmp:
        """Connect and leave the negotiation mode."""
        qmp = cls(Channel.connect("QMP", path, timeout, alive))
        qmp.negotiate(timeout)
        return qmp

    def negotiate(self, timeout: float = 30) -> None:
        """Wait for QEMU's greeting and leave the negotiation mode.

        QEMU's threads may send the event of the machine's start to a new connection before they greet it.
        """
        limit = time.monotonic() + timeout
        while "QMP" not in (message := self._channel.receive(max(limit - time.monotonic(), 0))):
            if "event" not in message:
                raise QmpError(f"the socket is no QEMU monitor: it greets with {message}")
            self._events.append(message)
        self.execute("qmp_capabilities")

    def execute(self, command: str, timeout: float = 30, **arguments: Any) -> Any:
        """Run one command and give its return value; events that come meanwhile are kept."""
        request: dict[str, Any] = {"execute": command}
        if arguments:
            request["arguments"] = {name.replace("_", "-"): value for name, value in arguments.items()}
        self._channel.send(request)
        limit = time.monotonic() + timeout
        while True:
            message = self._channel.receive(max(limit - time.monotonic(), 0))
            if "event" in message:
                self._events.append(message)
            elif "error" in message:
                raise QmpError(f"QEMU refused {command}: {message['error'].get('desc', message['error'])}")
            else:
                return message.get("return")

    def status(self) -> str:
        """`running`, `paused`, `shutdown`, ..."""
        return self.execute("query-status")["status"]

    def powerdown(self) -> None:
        """Press the ACPI power button."""
        self.execute("system_powerdown")

    def reset(self) -> None:
        """Press the reset button: no orderly end."""
        self.execute("system_reset")

    def send_keys(self, *keys: str) -> None:
        """Press these keys together, for instance `*CTRL_ALT_DELETE`."""
        self.execute("send-key", keys=[{"type": "qcode", "data": key} for key in keys])

    def quit(self) -> None:
        """End QEMU now: for the guest that is a power cut."""
        with contextlib.suppress(ChannelClosed):  # gone before its answer was read: that was asked for
            self.execute("quit")

    def wait_event(self, *names: str, timeout: float) -> dict[str, Any]:
        """The first event of one of these names, also one that came earlier and was not yet asked for."""
        limit = time.monotonic() + timeout
        while True:
            for event in self._events:
                if event["event"] in names:
                    self._events.remove(event)
                    return event
            try:
                message = self._channel.receive(max(limit - time.monotonic(), 0))
            except ChannelTimeout:
                raise ChannelTimeout(f"QMP: no event {' or '.join(names)} within {timeout:.0f} s") from None
            if "event" in message:
                self._events.append(message)

    def close(self) -> None:
        """Close the connection; QEMU goes on."""
        self._channel.close()
