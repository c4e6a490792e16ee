"""A data disk as a power cut left it: what a node makes of it, and what it finds there. Without root, by e2fsprogs."""

from __future__ import annotations

import base64
import binascii
import random
import re
import shutil
import struct
import subprocess
from pathlib import Path
from typing import NamedTuple

from qemu.images import EXT4_MAGIC, EXT4_VALID, ext4_problem, make_sparse
from qemu.write_log import WriteLog

MACHINE_ID, PRIVATE_KEY = "/lib/thole/machine-id", "/lib/thole/mesh/private.key"  # on /var
MARKER = b"thole-data: this disk is being formatted; power was cut if this is left\n"
LABEL = b"thole-data"
LUKS2 = b"LUKS\xba\xbe\0\2"  # its label is at byte 24
PROBE = 1 << 20  # of each end of a blank disk
BLOCK = 4096
BLANK, INTERRUPTED, OURS = "blank", "a format that was cut off", "the data file system"
LOCKED = "an encrypted data disk"
MENDED = 1 | 2
PRIME = 2**255 - 19


class Found(NamedTuple):
    """What a node finds after a power cut; None is a file that is not there."""

    fate: str
    machine_id: str | None = None
    public_key: str | None = None


class CutDisk:
    """Images of the disk of a log as cuts after more and more entries leave it. Each lies in the same file."""

    def __init__(self, log: WriteLog, folder: Path, size: int, seed: int, before: Path | None = None) -> None:
        """`before`: what was on the disk when the log began; otherwise it was blank."""
        self.log = log
        self.seed = seed
        self._settled, self._count = folder / "settled.img", 0
        self._cut = folder / "cut.img"
        if before:
            subprocess.run(["cp", "--sparse=always", before, self._settled], check=True)
        else:
            make_sparse(self._settled, size)

    def at(self, count: int) -> Path:
        """With all of the first `count` entries."""
        self.log.replay(self._flushed(count), range(self._count, count))
        return self._cut

    def torn(self, count: int, choice: int) -> Path:
        """With those up to the last flush, and any blocks of the others; another `choice` has other blocks."""
        chance = random.Random(f"{self.seed} {count} {choice}")
        image = self._flushed(count)
        self.log.replay(image, range(self._count, count), keep=lambda: chance.random() < 0.5, block=BLOCK)
        return image

    def _flushed(self, count: int) -> Path:
        """With the first `count` entries up to their last flush."""
        settled = self.log.durable(count)
        if settled < self._count:
            raise ValueError(f"the disk is at entry {self._count} already, and {settled} is asked for")
        self.log.replay(self._settled, range(self._count, settled))
        self._count = settled
        subprocess.run(["cp", "--sparse=always", self._settled, self._cut], check=True)
        return self._cut


def program(name: str) -> str:
    """One of e2fsprogs, which are not on every PATH."""
    return shutil.which(name) or f"/sbin/{name}"


def fate_of(image: Path) -> str:
    """What PID 1 takes the disk for (init/boot/content.cpp): AssertionError where it would halt for ever."""
    with image.open("rb") as file:
        start = file.read(PROBE)
        file.seek(-PROBE, 2)
        end = file.read(PROBE)
    magic, state = struct.unpack_from("<HH", start, 1024 + 56)
    (mounted,) = struct.unpack_from("<I", start, 1024 + 44)
    is_ext4 = magic == EXT4_MAGIC
    if end[-BLOCK:].startswith(MARKER) and not (is_ext4 and mounted):
        return INTERRUPTED
    if is_ext4 and start[1024 + 120 : 1024 + 136].rstrip(b"\0") == LABEL:
        assert state & EXT4_VALID or mounted, "a file system that was never mounted is not clean"
        return OURS
    if start.startswith(LUKS2) and start[24:72].rstrip(b"\0") == LABEL:
        return LOCKED
    assert not any(start) and not any(end), "the disk is neither blank, nor marked, nor ours: the node halts"
    return BLANK


def look(image: Path) -> Found:
    """What a node finds there. AssertionError where the file system cannot be mended, or a file is not whole."""
    fate = fate_of(image)
    if fate != OURS:
        return Found(fate)
    if ext4_problem(image):
        done = e2fsck("-p", image)
        assert done.returncode & ~MENDED == 0, f"e2fsck -p ends with {done.returncode}: {done.stdout}"
    done = e2fsck("-fn", image)
    assert done.returncode == 0, f"after e2fsck -p there is more to mend: {done.stdout}"
    return Found(fate, machine_id(read(image, MACHINE_ID)), public_key(read(image, PRIVATE_KEY)))


def e2fsck(option: str, image: Path) -> subprocess.CompletedProcess[str]:
    """Run it as a node does."""
    return subprocess.run([program("e2fsck"), option, image], capture_output=True, text=True, check=False)


def read(image: Path, path: str) -> bytes | None:
    """A file of the file system, without mounting it."""
    done = subprocess.run([program("debugfs"), "-R", f"cat {path}", image], capture_output=True, check=True)
    return None if b"File not found" in done.stderr else done.stdout


def machine_id(content: bytes | None) -> str | None:
    """The id in that file, which must be whole."""
    if content is None:
        return None
    assert re.fullmatch(rb"[0-9a-f]{32}\n", content), f"the machine-id is {content!r}"
    return content.decode().strip()


def public_key(content: bytes | None) -> str | None:
    """The public key of a private one, in base64; the file must be whole."""
    if content is None:
        return None
    try:
        private = base64.b64decode(content.removesuffix(b"\n"), validate=True)
    except binascii.Error:
        private = b""
    good = content.endswith(b"\n") and len(private) == 32 and private[0] & 7 == 0 and private[31] >> 6 == 1
    assert good, f"the private key's file has {len(content)} bytes and is not whole"
    return base64.b64encode(x25519(private)).decode()


def x25519(private: bytes) -> bytes:
    """The public key of a private one: its multiple of the base point, by the ladder of RFC 7748, section 5."""
    scalar = int.from_bytes(private, "little")
    x1, (x2, z2), (x3, z3) = 9, (1, 0), (9, 1)
    for bit in reversed(range(255)):
        if scalar >> bit & 1:
            (x2, z2), (x3, z3) = ladder_step(x1, (x3, z3), (x2, z2))[::-1]
        else:
            (x2, z2), (x3, z3) = ladder_step(x1, (x2, z2), (x3, z3))
    return (x2 * pow(z2, PRIME - 2, PRIME) % PRIME).to_bytes(32, "little")


def ladder_step(
    base: int, low: tuple[int, int], high: tuple[int, int]
) -> tuple[tuple[int, int], tuple[int, int]]:
    """The double of the first point, and the sum of both, whose difference is the base point."""
    plus, minus = (low[0] + low[1]) ** 2 % PRIME, (low[0] - low[1]) ** 2 % PRIME
    across = (high[0] - high[1]) * (low[0] + low[1]) % PRIME
    along = (high[0] + high[1]) * (low[0] - low[1]) % PRIME
    difference = plus - minus
    double = (plus * minus % PRIME, difference * (plus + 121665 * difference) % PRIME)
    return double, ((across + along) ** 2 % PRIME, base * (across - along) ** 2 % PRIME)
