"""A disk as this machine sees it: what it is, what is on it, and whether somebody uses it."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from driver.errors import TholeError

SECTOR = 512


@dataclass(frozen=True)
class Machine:
    """Where the kernel's files are; tests have their own."""

    sys: Path = Path("/sys")
    proc: Path = Path("/proc")


@dataclass(frozen=True)
class Target:
    """One whole disk."""

    path: Path
    name: str
    size: int
    model: str
    removable: bool
    partitions: list[str] = field(default_factory=list)
    users: list[str] = field(default_factory=list)  # why it must not be written

    def describe(self) -> str:
        """In a line, for the question whether it is the right one."""
        parts = ", ".join(self.partitions) or "no partitions"
        kind = "removable " if self.removable else ""
        return f"{self.path}: {kind}{self.model or 'disk'}, {self.size / 1e9:.1f} GB, {parts}"


def look(path: Path, machine: Machine = Machine()) -> Target:
    """What the device is; TholeError where it is no whole disk."""
    try:
        information = path.stat()
    except FileNotFoundError:
        raise TholeError(f"there is no {path}", "lsblk lists the disks of this machine") from None
    if not stat.S_ISBLK(information.st_mode):
        raise TholeError(f"{path} is no disk but a file of another kind", "a whole disk, such as /dev/sdX")
    return describe(path, f"{os.major(information.st_rdev)}:{os.minor(information.st_rdev)}", machine)


def describe(path: Path, number: str, machine: Machine) -> Target:
    """The same by the device's number, MAJOR:MINOR."""
    place = (machine.sys / "dev/block" / number).resolve()
    if (place / "partition").exists():
        raise TholeError(
            f"{path} is a partition; an image is for a whole disk", f"that is /dev/{place.parent.name}"
        )
    if not (place / "size").exists():
        raise TholeError(f"the kernel knows no disk {number} ({path})", "was it unplugged?")
    if _text(place / "ro") == "1":
        raise TholeError(f"{path} can only be read", "is there a switch on it, or a setting of its controller?")
    parts = sorted(child for child in place.iterdir() if (child / "partition").exists())
    numbers = {_text(one / "dev"): one.name for one in (place, *parts)}
    return Target(
        path=path,
        name=place.name,
        size=int(_text(place / "size")) * SECTOR,
        model=" ".join(word for word in (_text(place / "device/vendor"), _text(place / "device/model")) if word),
        removable=_text(place / "removable") == "1",
        partitions=[_named(one) for one in parts],
        users=[*_mounted(numbers, machine), *_swaps(numbers, machine), *_holders([place, *parts])],
    )


def _named(partition: Path) -> str:
    """A partition with the name that its table gives it."""
    for line in _text(partition / "uevent").splitlines():
        if line.startswith("PARTNAME="):
            return f"{partition.name} ({line.partition('=')[2]})"
    return partition.name


def _mounted(numbers: dict[str, str], machine: Machine) -> list[str]:
    """proc(5), mountinfo: the third word is the device, the fifth the place."""
    lines = (line.split() for line in _text(machine.proc / "self/mountinfo").splitlines())
    return [f"{numbers[words[2]]} is mounted at {words[4]}" for words in lines if len(words) > 4 and words[2] in numbers]


def _swaps(numbers: dict[str, str], machine: Machine) -> list[str]:
    names = set(numbers.values())
    lines = (line.split() for line in _text(machine.proc / "swaps").splitlines()[1:])
    return [f"{words[0]} is swap space" for words in lines if words and words[0].rpartition("/")[2] in names]


def _holders(places: list[Path]) -> list[str]:
    """Device-mapper, RAID and the like on top of it."""
    return [
        f"{place.name} belongs to {holder.name}"
        for place in places
        if (place / "holders").is_dir()
        for holder in sorted((place / "holders").iterdir())
    ]


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
