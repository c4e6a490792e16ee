"""The network of a cluster as its owner sees it: the switch's process, its ports, and what can be done to it."""

from __future__ import annotations

import base64
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from driver.errors import TholeError
from qemu import host
from qemu.artifacts import CHECKOUT
from qemu.cluster import frames
from qemu.cluster.control import Client
from qemu.cluster.probe import Probe, datagrams
from qemu.cluster.spec import GATEWAY, NAME_SERVER, NETWORK, PROBE, STRANGER
from qemu.process import Process

STRANGER_MAC = frames.mac("52:54:00:73:ff:01")
PROBE_MAC = frames.mac("52:54:00:73:ff:02")
FLOOD_FRAMES = 1024  # different ones
CARD = "lan"  # QEMU's name of a node's network card
HELLO_PORT, HELLO_SIZE = 51872, 256  # the mesh's bootstrap datagram


class Wire:
    """A running switch. It ends with the thread that made it, at the latest."""

    def __init__(self, log: Path) -> None:
        # Socket paths have at most 107 bytes: the sockets go to a short place of their own.
        self.folder = Path(tempfile.mkdtemp(prefix="thole-net-"))
        argv = ["/usr/bin/env", f"PYTHONPATH={CHECKOUT}", "PYTHONDONTWRITEBYTECODE=1", sys.executable]
        self._process = Process([*argv, "-m", "qemu.cluster.switch", str(self.folder)], log, None)
        self._gateway: Process | None = None
        self._cards: set[str] = set()  # ports with datagrams
        self._probes = 0
        try:
            self._client = Client(self.folder / "control", self._process.alive)
        except TholeError as error:
            self.close()
            raise TholeError(f"the switch did not start: {log.read_text().strip() or error.what}") from error

    def port(self, name: str) -> Path:
        """A new port for a stream; where to connect to."""
        return Path(self.command("add-port", port=name))

    def card(self, name: str, mac: str, stream: bool = False) -> list[str]:
        """A new port for a VM; QEMU's arguments for a network card there. See port.py for what a stream means."""
        if stream:
            netdev = f"stream,id={CARD},server=off,addr.type=unix,addr.path={self.port(name)}"
        else:
            theirs, ours = self.command("add-card", port=name)
            self._cards.add(name)
            netdev = f"dgram,id={CARD},local.type=unix,local.path={theirs},remote.type=unix,remote.path={ours}"
        return ["-netdev", netdev, "-device", f"virtio-net-pci,netdev={CARD},mac={mac},romfile="]

    def expect(self, name: str) -> None:
        """Call it before the VM at this port starts."""
        if name in self._cards:
            self.command("expect", port=name)

    def attach(self, name: str) -> None:
        """Call it when QEMU runs: the VM hears the others from now on."""
        if name in self._cards:
            self.command("attach", port=name)

    def probe(self, address: str = PROBE, mac: bytes = PROBE_MAC) -> Probe:
        """A host of our own on the network; close it after use."""
        self._probes += 1
        name = f"probe{self._probes}"
        return Probe(name, self.port(name), mac, address, lambda: self.command("remove-port", port=name))

    def partition(self, groups: list[list[str]]) -> None:
        """Ports of different groups do not hear each other any more; probes hear all."""
        self.command("partition", groups=groups)

    def heal(self) -> None:
        """End the partition and the loss."""
        self.command("heal")
        self.command("loss", share=0)

    def lose(self, share: float) -> None:
        """Lose this share (0 to 1) of all frames, each way, by chance."""
        self.command("loss", share=share)

    def pass_announcements(self, passed: bool) -> None:
        """False: datagrams to all (broadcast, multicast) are dropped, so that nodes need a seed to find each other."""
        self.command("announcements", passed=passed)

    def plug(self, name: str, plugged: bool) -> None:
        """Have a port pass frames, or none."""
        self.command("plug", port=name, plugged=plugged)

    def capture(self, path: Path) -> None:
        """Write every frame that comes in to a pcap file; what a flood makes is not among them."""
        self.command("capture", path=str(path.absolute()))

    def end_capture(self) -> int:
        """End it; the number of frames."""
        return self.command("capture-end")

    def status(self) -> dict[str, Any]:
        """Counters of every port; a capture is in its file as far as this."""
        return self.command("status")

    def flood(
        self, name: str, to: str, to_mac: str, rate: float, seconds: float,
        port: int = HELLO_PORT, size: int = HELLO_SIZE,
    ) -> None:  # fmt: skip
        """A stranger's datagrams of random bytes to a node, `rate` a second; see `flood_report`."""
        made = datagrams(STRANGER, STRANGER_MAC, to, frames.mac(to_mac), port, FLOOD_FRAMES, size)
        packed = [base64.b64encode(frame).decode() for frame in made]
        self.command("flood", ports=[name], frames=packed, rate=rate, seconds=seconds)

    def flood_report(self) -> dict[str, Any]:
        """How the last flood goes: what was offered, what the VM took, and the real rates."""
        return self.command("flood-report") or {}

    def open_gateway(self, forwards: dict[int, tuple[str, int]], log: Path) -> None:
        """A way out through this machine (QEMU's user-mode NAT), and ports of 127.0.0.1 that lead to nodes.

        It is a QEMU without a machine: nothing but its network.
        """
        rules = "".join(
            f",hostfwd=tcp:127.0.0.1:{ours}-{address}:{port}" for ours, (address, port) in forwards.items()
        )
        argv = [
            *host.qemu_command(), "-nodefaults", "-no-user-config", "-display", "none", "-machine", "none",
            "-netdev", f"user,id=out,net={NETWORK},host={GATEWAY},dns={NAME_SERVER}{rules}",
            "-netdev", f"stream,id=in,server=off,addr.type=unix,addr.path={self.port('gateway')}",
            "-netdev", "hubport,id=one,hubid=0,netdev=out", "-netdev", "hubport,id=two,hubid=0,netdev=in",
        ]  # fmt: skip
        self._gateway = Process(argv, log, None)
        if self._gateway.wait(0.3) is not None:
            raise TholeError(f"the gateway did not start: {self._gateway.complaint()}", f"its log: {log}")

    def command(self, name: str, **arguments: Any) -> Any:
        """One command of the switch."""
        return self._client.command(name, **arguments)

    def alive(self) -> bool:
        """Whether the switch runs."""
        return self._process.alive()

    def close(self) -> None:
        """End the switch."""
        for process in (self._gateway, self._process):
            if process:
                process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
