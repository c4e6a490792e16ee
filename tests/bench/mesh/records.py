"""Members that are not there, in the file in which a node's mesh keeps what it knew.

Its parts are in services/wireguard: record.cpp, daemon/saved_members.cpp. Numbers are big-endian.
"""

from __future__ import annotations

import ipaddress
import random
import struct

HEAD = b"thole mesh 1\n"
RECORD, FIXED, LOCAL = 1, 2, 2
PORT = 51871
FIRST = ipaddress.IPv4Address("10.41.1.0")  # static addresses, which need no hash
OUTSIDE = ipaddress.IPv4Address("192.168.73.100")  # a hundred endpoints that nobody has
KEY_SIZE = 32


def members(count: int, seconds: int) -> bytes:
    """The file with `count` members that were heard of at that time (since 1970), a name and two endpoints each."""
    chance = random.Random(count)
    records = [record(number, chance.randbytes(KEY_SIZE), seconds) for number in range(count)]
    return HEAD + b"".join(struct.pack(">QH", seconds, len(one)) + one for one in records)


def record(number: int, key: bytes, seconds: int) -> bytes:
    """One node's record."""
    head = struct.pack(">B32sII", RECORD, key, 1, 1)
    claim = struct.pack(">BBQ4sH", FIXED, 0, seconds, (FIRST + number).packed, PORT)
    endpoints = b"".join(endpoint(OUTSIDE + (number + other) % 100) for other in (0, 1))
    return head + claim + text(f"absent-{number}") + text("") + b"\0" + b"\2" + endpoints


def endpoint(address: ipaddress.IPv4Address) -> bytes:
    """One of the node's own interfaces."""
    return struct.pack(">BB4sH", LOCAL, 4, address.packed, PORT)


def text(words: str) -> bytes:
    """With its length before it."""
    return bytes([len(words)]) + words.encode()
