"""Network namespaces and veth pairs, by system calls and netlink: a test machine needs no ip(8)."""

from __future__ import annotations

import ctypes
import ipaddress
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LIBRARY = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_NEWLINK, _NEWADDR, _NEWROUTE = 16, 20, 24
_REQUEST, _ACK, _CREATE, _EXCL = 1, 4, 0x400, 0x200
_IFNAME, _LINKINFO, _NET_NS_FD = 3, 18, 28
_NESTED = 0x8000


def _call(what: str, result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def become_root() -> None:
    """Where we are not root already: of a user namespace of our own."""
    if os.geteuid() == 0:
        return
    user, group = os.geteuid(), os.getegid()
    _call("unshare", _LIBRARY.unshare(_CLONE_NEWUSER))
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1")


class Namespace:
    """A network namespace; sockets made inside stay in it."""

    def __init__(self) -> None:
        """A new one; the process is in it afterwards."""
        _call("unshare", _LIBRARY.unshare(_CLONE_NEWNET))
        self.fd = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        up("lo")

    @contextmanager
    def inside(self) -> Iterator[None]:
        """The process is in it for a while."""
        before = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        _call("setns", _LIBRARY.setns(self.fd, _CLONE_NEWNET))
        try:
            yield
        finally:
            _call("setns", _LIBRARY.setns(before, _CLONE_NEWNET))
            os.close(before)


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def _ask(kind: int, flags: int, body: bytes) -> None:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as link:
        link.bind((0, 0))
        link.send(struct.pack("=IHHII", 16 + len(body), kind, flags | _REQUEST | _ACK, 1, 0) + body)
        code = struct.unpack_from("=i", link.recv(65536), 16)[0]
    if code:
        raise OSError(-code, f"rtnetlink request {kind}: {os.strerror(-code)}")


def veth(name: str, peer: str, where: Namespace) -> None:
    """A pair: one end here, the other in another namespace."""
    head = struct.pack("=BxHiII", 0, 0, 0, 0, 0)
    other = head + _attribute(_IFNAME, peer.encode() + b"\0") + _attribute(_NET_NS_FD, struct.pack("=I", where.fd))
    information = _attribute(1, b"veth\0") + _attribute(2 | _NESTED, _attribute(1 | _NESTED, other))
    body = head + _attribute(_IFNAME, name.encode() + b"\0") + _attribute(_LINKINFO | _NESTED, information)
    _ask(_NEWLINK, _CREATE | _EXCL, body)


def up(name: str) -> None:
    """Bring an interface up."""
    _ask(_NEWLINK, 0, struct.pack("=BxHiII", 0, 0, socket.if_nametoindex(name), 1, 1))


def give(name: str, text: str) -> None:
    """An address with its prefix, and the interface goes up."""
    one = ipaddress.ip_interface(text)
    family = socket.AF_INET if one.version == 4 else socket.AF_INET6
    without_detection = 2 if one.version == 6 else 0
    head = struct.pack("=BBBBI", family, one.network.prefixlen, without_detection, 0, socket.if_nametoindex(name))
    body = head + _attribute(2, one.ip.packed) + _attribute(1, one.ip.packed)
    if one.version == 4:
        body += _attribute(4, one.network.broadcast_address.packed)
    _ask(_NEWADDR, _CREATE | _EXCL, body)
    up(name)


def default_route(gateway: str) -> None:
    """All IPv4 goes by this neighbour."""
    head = struct.pack("=BBBBBBBBI", socket.AF_INET, 0, 0, 0, 254, 4, 0, 1, 0)
    _ask(_NEWROUTE, _CREATE | _EXCL, head + _attribute(5, ipaddress.ip_address(gateway).packed))
