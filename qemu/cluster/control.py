"""Commands for the switch, as lines of JSON over a unix socket: the switch's side and ours."""

from __future__ import annotations

import base64
import json
import os
import selectors
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from driver.errors import TholeError
from qemu.channel import Channel, ChannelClosed
from qemu.cluster.capture import Writer
from qemu.cluster.flood import Flood
from qemu.cluster.port import CardPort

if TYPE_CHECKING:
    from qemu.cluster.switch import Switch

ANSWER = 30  # seconds


class SwitchError(TholeError):
    """The switch refused a command, or is gone."""


class Server:
    """Takes commands for a switch, in the switch's own loop."""

    def __init__(self, switch: Switch, path: Path) -> None:
        self.switch = switch
        self.stopped = False
        self._flood: Flood | None = None
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self._listener.bind(os.fspath(path))
        self._listener.listen(8)
        switch.selector.register(self._listener, selectors.EVENT_READ, self._accept)

    def _accept(self, _events: int) -> None:
        connection = self._listener.accept()[0]
        connection.settimeout(ANSWER)
        buffer = bytearray()
        self.switch.selector.register(
            connection, selectors.EVENT_READ, lambda _: self._read(connection, buffer)
        )

    def _read(self, connection: socket.socket, buffer: bytearray) -> None:
        try:
            data = connection.recv(1 << 20)
        except OSError:
            data = b""
        buffer += data
        try:
            while b"\n" in buffer:
                line, _, rest = bytes(buffer).partition(b"\n")
                buffer[:] = rest
                connection.sendall(json.dumps(self.answer(line)).encode() + b"\n")
        except OSError:
            data = b""
        if not data:
            self.switch.selector.unregister(connection)
            connection.close()

    def answer(self, line: bytes) -> dict[str, Any]:
        """Do what a line asks; what to answer."""
        try:
            request = json.loads(line)
            name = request.pop("command")
            function: Callable[..., Any] | None = getattr(self, "do_" + name.replace("-", "_"), None)
            if not function:
                return {"error": f"the switch has no command {name}"}
            return {"return": function(**request)}
        except KeyError as error:
            return {"error": f"there is no port {error}"}
        except (OSError, ValueError, TypeError) as error:
            return {"error": str(error)}

    def do_add_port(self, port: str) -> str:
        self._need_new(port)
        return os.fspath(self.switch.add_port(port).path)

    def do_add_card(self, port: str) -> list[str]:
        self._need_new(port)
        made = self.switch.add_card(port)
        return [os.fspath(made.card), os.fspath(made.path)]

    def do_expect(self, port: str) -> None:
        self.switch.expect(self._card(port))

    def do_attach(self, port: str) -> None:
        self._card(port).attach()

    def do_remove_port(self, port: str) -> None:
        self.switch.remove_port(port)

    def do_plug(self, port: str, plugged: bool) -> None:
        self.switch.ports[port].plugged = plugged

    def do_partition(self, groups: list[list[str]]) -> None:
        for name in [name for group in groups for name in group]:
            self.switch.ports[name]  # KeyError before anything changes
        self.switch.partition(groups)

    def do_heal(self) -> None:
        self.switch.heal()

    def do_loss(self, share: float) -> None:
        if not 0 <= share <= 1:
            raise ValueError(f"a loss of {share} is not between 0 and 1")
        self.switch.loss = share

    def do_announcements(self, passed: bool) -> None:
        self.switch.announcements = passed

    def do_capture(self, path: str) -> None:
        self.do_capture_end()
        self.switch.capture = Writer(Path(path))

    def do_capture_end(self) -> int:
        capture, self.switch.capture = self.switch.capture, None
        if not capture:
            return 0
        capture.close()
        return capture.frames

    def do_flood(self, ports: list[str], frames: list[str], rate: float, seconds: float) -> None:
        if not frames or rate <= 0:
            raise ValueError("a flood needs frames and a rate")
        targets = [self.switch.ports[name] for name in ports]
        self._flood = self.switch.flood = Flood(
            targets, [base64.b64decode(frame) for frame in frames], rate, seconds
        )

    def do_flood_report(self) -> dict[str, Any] | None:
        return self._flood.report() if self._flood else None

    def do_status(self) -> dict[str, Any]:
        if self.switch.capture:
            self.switch.capture.flush()
        ports = {
            port.name: {
                "connected": port.connection is not None,
                "plugged": port.plugged,
                "group": port.group,
                "received": port.received,
                "sent": port.sent,
                "dropped": port.dropped,
                "bytes-received": port.bytes_received,
                "bytes-sent": port.bytes_sent,
            }
            for port in self.switch.ports.values()
        }
        return {"ports": ports, "cut": self.switch.cut, "loss": self.switch.loss}

    def do_stop(self) -> None:
        self.stopped = True

    def _need_new(self, port: str) -> None:
        if port in self.switch.ports:
            raise ValueError(f"there is a port {port} already")

    def _card(self, name: str) -> CardPort:
        port = self.switch.ports[name]
        if not isinstance(port, CardPort):
            raise ValueError(f"port {name} is not for a VM")
        return port


class Client:
    """Our side: a connection to a switch."""

    def __init__(self, path: Path, alive: Callable[[], bool]) -> None:
        self._channel = Channel.connect("switch", path, ANSWER, alive)
        self._busy = threading.Lock()

    def command(self, name: str, **arguments: Any) -> Any:
        """Run one command and give what it returns."""
        try:
            with self._busy:
                self._channel.send({"command": name, **arguments}, timeout=ANSWER)
                answer = self._channel.receive(ANSWER)
        except ChannelClosed as error:
            raise SwitchError(f"the switch is gone: {error.what}") from error
        if "error" in answer:
            raise SwitchError(f"the switch refused {name}: {answer['error']}")
        return answer["return"]

    def close(self) -> None:
        """Close the connection; the switch goes on."""
        self._channel.close()
