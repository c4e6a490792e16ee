"""An Ethernet switch for VMs: learns addresses, and can be cut in parts, lose frames, be captured and be flooded.

It runs in a process of its own (`python3 -m qemu.cluster.switch FOLDER`), so that frames do not wait for Python
that does something else. FOLDER gets a socket `control` (lines of JSON, see control.py) and one for each port.
"""

from __future__ import annotations

import random
import selectors
import socket
import sys
from pathlib import Path

from qemu.cluster.capture import Writer
from qemu.cluster.flood import Flood
from qemu.cluster.frames import LENGTH, LONGEST, SHORTEST, UDP, FrameError, parse, split, wrap
from qemu.cluster.port import CardPort, Port, StreamPort

ADDRESSES = 4096  # known at most; a stranger with random addresses must not cost memory
READ_WRITE = selectors.EVENT_READ | selectors.EVENT_WRITE


class Switch:
    """Ports, the table of addresses, and what is done to the frames between them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports: dict[str, Port] = {}
        self.selector = selectors.DefaultSelector()
        self.capture: Writer | None = None
        self.flood: Flood | None = None
        self.loss = 0.0
        self.announcements = True  # False: datagrams to all are dropped, as on segments of different places
        self.cut = 0  # frames dropped by a partition, an unplugged port or the loss that was asked for
        self._table: dict[bytes, Port] = {}
        self._random = random.Random(1)

    def add_port(self, name: str) -> StreamPort:
        """A new port for a stream."""
        port = StreamPort(name, self.folder / f"port-{name}")
        self.ports[name] = port
        self.selector.register(port.listener, selectors.EVENT_READ, lambda _: self._accept(port))
        return port

    def add_card(self, name: str) -> CardPort:
        """A new port for a VM; it is the same one when the VM starts again."""
        port = CardPort(name, self.folder / f"port-{name}")
        self.ports[name] = port
        return port

    def expect(self, port: CardPort) -> None:
        """Make ready for a QEMU that is about to start."""
        self._gone(port)
        port.expect()
        assert port.connection
        self._register(port, port.connection)

    def remove_port(self, name: str) -> None:
        """Take a port away."""
        port = self.ports.pop(name)
        self._gone(port)
        if isinstance(port, StreamPort):
            self.selector.unregister(port.listener)
        port.close()

    def partition(self, groups: list[list[str]]) -> None:
        """Drop frames between ports of different groups; ports that no group names stay in touch with all."""
        self.heal()
        for number, names in enumerate(groups):
            for name in names:
                self.ports[name].group = number

    def heal(self) -> None:
        """One network again."""
        for port in self.ports.values():
            port.group = None

    def step(self, timeout: float | None = None) -> None:
        """Wait for frames and commands, and deal with those that came."""
        if self.flood:
            timeout = self.flood.pause
        for key, events in self.selector.select(timeout):
            key.data(events)
        if self.flood:
            self.flood.go_on()
            for port in self.flood.ports:
                self._watch(port)
            if self.flood.over:
                self.flood = None

    def receive(self, port: Port) -> None:
        """Read what a port has, and forward the whole frames in it."""
        try:
            count = port.read()
        except BlockingIOError:
            return
        except OSError:
            count = 0
        if not count:
            self._gone(port)
            return
        end = port.filled + count
        try:
            used = self._forward_all(port, end)
        except FrameError as error:
            print(f"port {port.name}: {error}; unplugged", file=sys.stderr, flush=True)
            self._gone(port)
            return
        if used < end:
            port.buffer[: end - used] = port.buffer[used:end]
        port.filled = end - used

    def _forward_all(self, port: Port, end: int) -> int:
        """Forward the frames up to `end`; the bytes used. Frames in a row between the same two go as one run."""
        buffer, view = port.buffer, port.view
        at = run = count = 0
        between = b""
        while end - at >= 4:
            (size,) = LENGTH.unpack_from(buffer, at)
            stop = at + 4 + size
            if stop > end:
                if size > LONGEST:
                    raise FrameError(f"a frame of {size} bytes")
                break
            if size < SHORTEST:
                raise FrameError(f"a frame of {size} bytes")
            addresses = buffer[at + 4 : at + 16]
            if addresses != between:
                if count:
                    self._forward(port, bytes(between), view[run:at], count)
                between, run, count = addresses, at, 0
            count += 1
            at = stop
        if count:
            self._forward(port, bytes(between), view[run:at], count)
        return at

    def _forward(self, port: Port, between: bytes, run: memoryview, count: int) -> None:
        to, source = between[:6], between[6:]
        port.received += count
        port.bytes_received += len(run)
        if self.capture:
            self.capture.add(run)
        if not port.plugged:
            self.cut += count
            return
        if not source[0] & 1 and self._table.get(source) is not port:
            if len(self._table) >= ADDRESSES:
                self._table.clear()
            self._table[source] = port
        if to[0] & 1 and not self.announcements:
            kept = [wrap(bytes(frame)) for frame in split(run) if parse(frame).protocol != UDP]
            self.cut += count - len(kept)
            run, count = memoryview(b"".join(kept)), len(kept)
            if not kept:
                return
        known = None if to[0] & 1 else self._table.get(to)
        for target in (known,) if known else tuple(self.ports.values()):
            if target is not port and target.connection:
                self._pass(port, target, run, count)

    def _pass(self, port: Port, target: Port, run: memoryview, count: int) -> None:
        apart = port.group is not None and target.group is not None and port.group != target.group
        if apart or not target.plugged:
            self.cut += count
            return
        if self.loss:
            kept = [wrap(bytes(frame)) for frame in split(run) if self._random.random() >= self.loss]
            self.cut += count - len(kept)
            if not kept:
                return
            target.send(b"".join(kept), len(kept))
        else:
            target.send(run, count)
        self._watch(target)

    def _accept(self, port: StreamPort) -> None:
        connection = port.listener.accept()[0]
        self._gone(port)  # one a port: the newer is the one that is there
        port.plug(connection)
        self._register(port, connection)

    def _register(self, port: Port, connection: socket.socket) -> None:
        self.selector.register(connection, selectors.EVENT_READ, lambda events: self._ready(port, events))

    def _ready(self, port: Port, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            port.flush()
            self._watch(port)
        if events & selectors.EVENT_READ and port.connection:
            self.receive(port)

    def _watch(self, port: Port) -> None:
        """Ask for room to write only while something waits for it."""
        if not port.connection:
            return
        key = self.selector.get_key(port.connection)
        wanted = READ_WRITE if port.waits else selectors.EVENT_READ
        if key.events != wanted:
            self.selector.modify(port.connection, wanted, key.data)

    def _gone(self, port: Port) -> None:
        if port.connection:
            self.selector.unregister(port.connection)
        port.take_off()
        self._table = {address: owner for address, owner in self._table.items() if owner is not port}

    def close(self) -> None:
        """Take all ports away and end the capture."""
        for name in list(self.ports):
            self.remove_port(name)
        if self.capture:
            self.capture.close()
        self.selector.close()


def main() -> None:
    """Serve until the parent ends us."""
    from qemu.cluster.control import Server

    folder = Path(sys.argv[1])
    switch = Switch(folder)
    server = Server(switch, folder / "control")
    while not server.stopped:
        switch.step()
    switch.close()


if __name__ == "__main__":
    main()
