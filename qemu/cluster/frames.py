"""Ethernet frames: how QEMU's stream carries them, and what is in them, made and taken apart."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterator
from dataclasses import dataclass

LENGTH = struct.Struct(">I")  # in front of each frame on a `-netdev stream` socket
HEADER = 14
SHORTEST, LONGEST = HEADER, 65550
ARP, IPV4, IPV6, VLAN = 0x0806, 0x0800, 0x86DD, 0x8100
ICMP, IGMP, TCP, UDP, ICMPV6 = 1, 2, 6, 17, 58
BROADCAST = b"\xff" * 6
ECHO_REPLY, ECHO_REQUEST = 0, 8
ARP_REQUEST, ARP_REPLY = 1, 2
_IPV6_OPTIONS = 0  # hop-by-hop: what MLD reports stand behind


class FrameError(Exception):
    """A byte stream that cannot be frames."""


def wrap(frame: bytes) -> bytes:
    """A frame as it goes over the stream."""
    return LENGTH.pack(len(frame)) + frame


def split(run: memoryview | bytes) -> Iterator[memoryview]:
    """The frames of whole, wrapped frames that stand behind each other."""
    view = memoryview(run)
    at = 0
    while at < len(view):
        stop = at + 4 + LENGTH.unpack_from(view, at)[0]
        yield view[at + 4 : stop]
        at = stop


def mac(text: str) -> bytes:
    """52:54:00:00:00:01 as bytes."""
    return bytes.fromhex(text.replace(":", ""))


def mac_text(address: bytes) -> str:
    """Six bytes as people write them."""
    return address.hex(":")


def checksum(data: bytes) -> int:
    """The internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def ethernet(to: bytes, source: bytes, kind: int, payload: bytes) -> bytes:
    """A frame, without the padding and the checksum that a cable would want."""
    return to + source + struct.pack(">H", kind) + payload


def ipv4(source: str, to: str, protocol: int, payload: bytes) -> bytes:
    """An IPv4 packet."""
    pair = ipaddress.IPv4Address(source).packed + ipaddress.IPv4Address(to).packed
    start = struct.pack(">BBHHHBB", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol)
    return start + struct.pack(">H", checksum(start + b"\0\0" + pair)) + pair + payload


def udp(source: int, to: int, payload: bytes) -> bytes:
    """A UDP datagram for IPv4, without the checksum, which may be left out there (RFC 768)."""
    return struct.pack(">HHHH", source, to, 8 + len(payload), 0) + payload


def echo(kind: int, identity: int, number: int, payload: bytes) -> bytes:
    """An ICMP echo request or reply."""
    rest = struct.pack(">HH", identity, number) + payload
    return struct.pack(">BBH", kind, 0, checksum(struct.pack(">BBH", kind, 0, 0) + rest)) + rest


def arp(operation: int, sender: bytes, sender_ip: str, target: bytes, target_ip: str) -> bytes:
    """An ARP packet."""
    return (
        struct.pack(">HHBBH", 1, IPV4, 6, 4, operation)
        + sender + ipaddress.IPv4Address(sender_ip).packed
        + target + ipaddress.IPv4Address(target_ip).packed
    )  # fmt: skip


@dataclass(frozen=True)
class Packet:
    """What a frame holds, as far as tests ask. Ports are 0 and addresses empty where the kind has none."""

    source_mac: bytes
    to_mac: bytes
    kind: int  # Ethernet's type
    source: str = ""
    to: str = ""
    protocol: int = 0  # of IP
    source_port: int = 0
    to_port: int = 0
    payload: bytes = b""  # behind the UDP header, else behind the IP header; of ARP all of it

    def describe(self) -> str:
        """One line, for messages."""
        names = {ICMP: "ICMP", IGMP: "IGMP", TCP: "TCP", UDP: "UDP", ICMPV6: "ICMPv6"}
        if self.kind == ARP:
            return f"ARP {self.source} -> {self.to}"
        if not self.source:
            return f"ethertype {self.kind:#06x} {mac_text(self.source_mac)} -> {mac_text(self.to_mac)}"
        name = names.get(self.protocol, f"IP protocol {self.protocol}")
        ports = f" {self.source_port} -> {self.to_port}" if self.protocol in (TCP, UDP) else ""
        return f"{name} {self.source} -> {self.to}{ports}, {len(self.payload)} bytes"


def parse(frame: bytes) -> Packet:
    """Take a frame apart; what is cut short keeps what could be read."""
    frame = bytes(frame)
    (kind,) = struct.unpack_from(">H", frame, 12)
    source, to, rest = frame[6:12], frame[:6], frame[HEADER:]
    if kind == ARP and len(rest) >= 28:
        return Packet(source, to, kind, str(ipaddress.IPv4Address(rest[14:18])),
                      str(ipaddress.IPv4Address(rest[24:28])), payload=rest[:28])  # fmt: skip
    if kind == IPV4 and len(rest) >= 20:
        start, protocol = (rest[0] & 15) * 4, rest[9]
        ends = [str(ipaddress.IPv4Address(rest[at : at + 4])) for at in (12, 16)]
        body = rest[start : int.from_bytes(rest[2:4], "big")]
        if int.from_bytes(rest[6:8], "big") & 0x1FFF:  # a later fragment has no header of its own
            return Packet(source, to, kind, *ends, protocol, payload=body)
        return Packet(source, to, kind, *ends, *_transport(protocol, body))
    if kind == IPV6 and len(rest) >= 40:
        protocol, body = rest[6], rest[40 : 40 + int.from_bytes(rest[4:6], "big")]
        if protocol == _IPV6_OPTIONS and len(body) >= 8:
            protocol, body = body[0], body[8 + body[1] * 8 :]
        ends = [str(ipaddress.IPv6Address(rest[at : at + 16])) for at in (8, 24)]
        return Packet(source, to, kind, *ends, *_transport(protocol, body))
    return Packet(source, to, kind, payload=rest)


def _transport(protocol: int, body: bytes) -> tuple[int, int, int, bytes]:
    """Protocol, both ports, and what is behind UDP's header."""
    if protocol not in (TCP, UDP) or len(body) < 8:
        return protocol, 0, 0, body
    source, to = struct.unpack_from(">HH", body)
    return protocol, source, to, body[8:] if protocol == UDP else body
