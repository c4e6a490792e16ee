"""A host on the switch that is a few lines of Python: asks for addresses, pings, sends datagrams, listens."""

from __future__ import annotations

import os
import random
import select
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from qemu.cluster import frames
from qemu.cluster.frames import BROADCAST, LENGTH, Packet

READ = 1 << 18


class Probe:
    """One port, one MAC address, one IPv4 address. It answers who asks for that address while it waits."""

    def __init__(
        self, name: str, port: Path, mac: bytes, address: str, on_close: Callable[[], object] = lambda: None
    ) -> None:
        self.name = name  # of its port
        self._on_close = on_close
        self.mac = mac
        self.address = address
        self._buffer = b""
        self._known: dict[str, bytes] = {}
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self._socket.connect(os.fspath(port))

    def send(self, frame: bytes) -> None:
        """Put a frame on the wire, whatever is in it."""
        self._socket.sendall(frames.wrap(frame))

    def packets(self, timeout: float) -> Iterator[Packet]:
        """What comes in until the time is over."""
        limit = time.monotonic() + timeout
        while True:
            yield from self._whole()
            left = limit - time.monotonic()
            if left <= 0 or not select.select([self._socket], [], [], left)[0]:
                return
            data = self._socket.recv(READ)
            if not data:
                return
            self._buffer += data

    def wait(self, wanted: Callable[[Packet], bool], timeout: float) -> Packet | None:
        """The first packet that is wanted; None when none came in time."""
        return next((packet for packet in self.packets(timeout) if wanted(packet)), None)

    def find(self, address: str, timeout: float = 3, pause: float = 1) -> bytes | None:
        """The MAC address of a host of this network, asked by ARP; None when nobody answers."""

        def answers(packet: Packet) -> bool:
            return packet.kind == frames.ARP and packet.payload[7] == 2 and packet.source == address

        limit = time.monotonic() + timeout
        while (left := limit - time.monotonic()) > 0:
            question = frames.arp(frames.ARP_REQUEST, self.mac, self.address, bytes(6), address)
            self.send(frames.ethernet(BROADCAST, self.mac, frames.ARP, question))
            answer = self.wait(answers, min(left, pause))
            if answer:
                self._known[address] = answer.source_mac
                return answer.source_mac
        return None

    def ping(self, address: str, timeout: float = 3, pause: float = 1) -> float | None:
        """Seconds until a host answered an ICMP echo; None when it did not in time."""
        to = self._known.get(address) or self.find(address, timeout)
        if not to:
            return None
        identity = random.randrange(1 << 16)

        def answers(packet: Packet) -> bool:
            return (
                packet.protocol == frames.ICMP
                and packet.source == address
                and packet.payload[:1] == bytes([frames.ECHO_REPLY])
                and packet.payload[4:6] == identity.to_bytes(2, "big")
            )

        limit = time.monotonic() + timeout
        number = 0
        while (left := limit - time.monotonic()) > 0:
            number += 1
            begun = time.monotonic()
            self._send_ip(to, address, frames.ICMP, frames.echo(frames.ECHO_REQUEST, identity, number, b"thole" * 8))
            if self.wait(answers, min(left, pause)):
                return time.monotonic() - begun
        return None

    def send_udp(self, address: str, port: int, payload: bytes, source_port: int = 40000) -> bool:
        """Send a datagram; whether somebody has that address."""
        to = self._known.get(address) or self.find(address)
        if to:
            self._send_ip(to, address, frames.UDP, frames.udp(source_port, port, payload))
        return to is not None

    def close(self) -> None:
        """Leave the switch."""
        self._socket.close()
        self._on_close()

    def __enter__(self) -> Probe:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send_ip(self, to: bytes, address: str, protocol: int, payload: bytes) -> None:
        packet = frames.ipv4(self.address, address, protocol, payload)
        self.send(frames.ethernet(to, self.mac, frames.IPV4, packet))

    def _whole(self) -> Iterator[Packet]:
        while len(self._buffer) >= 4:
            end = 4 + LENGTH.unpack_from(self._buffer)[0]
            if len(self._buffer) < end:
                return
            packet = frames.parse(self._buffer[4:end])
            self._buffer = self._buffer[end:]
            self._answer_arp(packet)
            yield packet

    def _answer_arp(self, packet: Packet) -> None:
        if packet.kind == frames.ARP and packet.payload[7] == 1 and packet.to == self.address:
            answer = frames.arp(frames.ARP_REPLY, self.mac, self.address, packet.source_mac, packet.source)
            self.send(frames.ethernet(packet.source_mac, self.mac, frames.ARP, answer))


def datagrams(
    source: str, source_mac: bytes, to: str, to_mac: bytes, port: int, count: int, size: int, seed: int = 1
) -> list[bytes]:
    """Frames with random UDP datagrams of `size` bytes from random ports, as a stranger would send them."""
    chance = random.Random(seed)
    made = []
    for _ in range(count):
        datagram = frames.udp(chance.randrange(1024, 65536), port, chance.randbytes(size))
        packet = frames.ipv4(source, to, frames.UDP, datagram)
        made.append(frames.ethernet(to_mac, source_mac, frames.IPV4, packet))
    return made
