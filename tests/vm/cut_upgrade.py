"""A disk as a power cut in an upgrade left it: what the firmware and systemd-boot would start of it, and whether that is whole."""

from __future__ import annotations

import hashlib
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

from driver.host_tools import tool
from image import gpt

_ENTRY = re.compile(r"thole-(?P<version>[0-9][0-9a-z.~]*?)(\+(?P<left>\d+)(-\d+)?)?\.efi", re.IGNORECASE)
SECTOR = gpt.SECTOR


class Version(NamedTuple):
    """What a version consists of: sums of its kernel image and of its root, and the root's partition and size."""

    kernel: str
    root: str
    partition: str
    root_size: int


def table(disk: Path) -> list[gpt.Partition]:
    """The first table, or the backup where the first is damaged, as UEFI and Linux do. AssertionError where both are."""
    sectors = disk.stat().st_size // SECTOR
    with disk.open("rb") as stream:
        for backup in (False, True):
            try:
                return gpt.read(stream, sectors, backup)[1]
            except ValueError:
                continue
    raise AssertionError("both partition tables are damaged")


def kernels(disk: Path, esp: gpt.Partition) -> dict[str, str]:
    """Kernel images on the ESP that systemd-boot would show: name to the sum of its bytes."""
    where = f"{disk}@@{esp.first * SECTOR}"
    listed = mtools("mdir", "-b", "-i", where, "::/EFI/Linux")
    names = [line.rpartition("/")[2] for line in listed.decode().splitlines()]
    found = {}
    for name in names:
        if _ENTRY.fullmatch(name):
            found[name] = hashlib.sha256(mtools("mcopy", "-n", "-i", where, f"::/EFI/Linux/{name}", "-")).hexdigest()
    return found


def mtools(*command: str) -> bytes:
    """The output of one of the mtools; AssertionError with its complaint."""
    done = subprocess.run(
        [*tool(command[0]), *command[1:]], env={"MTOOLS_SKIP_CHECK": "1", "TZ": "UTC"}, capture_output=True, check=False
    )
    assert done.returncode == 0, f"the ESP cannot be read: {done.stderr.decode(errors='replace').strip()}"
    return done.stdout


def started(names: list[str]) -> tuple[str, str]:
    """Version and file that systemd-boot starts: the newest with tries left, else the newest (its sort order)."""
    entries = [(match, name) for name in names if (match := _ENTRY.fullmatch(name))]
    assert entries, "the ESP has no kernel image: nothing starts"

    def order(item: tuple[re.Match[str], str]) -> tuple[bool, list[int]]:
        match = item[0]
        return match["left"] != "0", [int(part) for part in re.findall(r"\d+", match["version"])]

    best = max(entries, key=order)
    return best[0]["version"], best[1]


def check(disk: Path, versions: dict[str, Version]) -> str:
    """The version that starts. AssertionError where its kernel or its root is not what it should be."""
    partitions = table(disk)
    esp = next(one for one in partitions if one.name == "thole-esp")
    found = kernels(disk, esp)
    version, name = started(sorted(found))
    wanted = versions[version]
    assert found[name] == wanted.kernel, f"{name} is not whole"
    place = [one for one in partitions if str(one.guid) == wanted.partition]
    assert len(place) == 1, f"{version} starts, and {len(place)} partitions have its identifier"
    with disk.open("rb") as stream:
        stream.seek(place[0].first * SECTOR)
        total = hashlib.sha256(stream.read(wanted.root_size)).hexdigest()
    assert total == wanted.root, f"{version} starts, and its root is not whole"
    return version
