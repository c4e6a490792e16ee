"""./thole flash: which disks it refuses, and that what it wrote is read back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from driver.errors import TholeError
from driver.flashing import copy, target
from driver.flashing.target import Machine

MIB = 1 << 20


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A disk sdb with one partition, as sysfs and proc show it; nobody uses it."""
    disk = tmp_path / "sys/devices/usb/block/sdb"
    partition = disk / "sdb1"
    for place in (disk / "device", disk / "holders", partition / "holders"):
        place.mkdir(parents=True)
    put(disk, size=str(64 * MIB // 512), dev="8:16", removable="1", ro="0")
    put(disk / "device", vendor="Maker", model="Stick")
    put(partition, size="2048", dev="8:17", partition="1", uevent="DEVNAME=sdb1\nPARTNAME=photographs\n")
    numbers = tmp_path / "sys/dev/block"
    numbers.mkdir(parents=True)
    (numbers / "8:16").symlink_to(disk)
    (numbers / "8:17").symlink_to(partition)
    (tmp_path / "proc/self").mkdir(parents=True)
    put(tmp_path / "proc", swaps="Filename Type Size Used Priority\n")
    put(tmp_path / "proc/self", mountinfo="1 0 8:1 / / rw - ext4 /dev/sda1 rw\n")
    return Machine(tmp_path / "sys", tmp_path / "proc")


def put(folder: Path, **files: str) -> None:
    """Files with these contents."""
    for name, text in files.items():
        (folder / name).write_text(text)


def disk(machine: Machine, number: str = "8:16") -> target.Target:
    """The disk as it is now."""
    return target.describe(Path("/dev/sdb"), number, machine)


def test_a_disk_is_described(machine: Machine) -> None:
    """So that a person sees whether it is the right one."""
    assert disk(machine).describe() == "/dev/sdb: removable Maker Stick, 0.1 GB, sdb1 (photographs)"
    assert disk(machine).users == []


def test_a_disk_in_use_names_its_users(machine: Machine) -> None:
    """A mount of a partition, swap space, and what device-mapper made of it."""
    put(machine.proc / "self", mountinfo="1 0 8:17 / /media/photographs rw - ext4 /dev/sdb1 rw\n")
    put(machine.proc, swaps="Filename Type Size Used Priority\n/dev/sdb1 partition 1 0 -2\n")
    (machine.sys / "devices/usb/block/sdb/sdb1/holders/dm-3").mkdir()
    assert disk(machine).users == [
        "sdb1 is mounted at /media/photographs", "/dev/sdb1 is swap space", "sdb1 belongs to dm-3",
    ]  # fmt: skip
    from driver.commands import flash

    with pytest.raises(TholeError, match="in use and was not touched: sdb1 is mounted"):
        flash.need_room(disk(machine), MIB)


def test_a_partition_and_a_locked_disk_are_refused(machine: Machine) -> None:
    """With the name of the disk that was meant."""
    with pytest.raises(TholeError, match="is a partition") as error:
        disk(machine, "8:17")
    assert "/dev/sdb" in error.value.remedy
    put(machine.sys / "devices/usb/block/sdb", ro="1")
    with pytest.raises(TholeError, match="can only be read"):
        disk(machine)


def test_a_small_disk_and_a_file_are_refused(machine: Machine, tmp_path: Path) -> None:
    """Before anything is opened for writing."""
    from driver.commands import flash

    with pytest.raises(TholeError, match="has 64 MiB, the image 65 MiB"):
        flash.need_room(disk(machine), 65 * MIB)
    (tmp_path / "file").write_text("")
    with pytest.raises(TholeError, match="is no disk"):
        target.look(tmp_path / "file")
    with pytest.raises(TholeError, match="there is no"):
        target.look(tmp_path / "none")
    (tmp_path / "photograph.img").write_bytes(b"JFIF" * 500)
    with pytest.raises(TholeError):
        flash.need_image(tmp_path / "photograph.img")


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    """A medium that gives other bytes than it got is an error."""
    image, medium = tmp_path / "image", tmp_path / "medium"
    image.write_bytes(bytes(range(256)) * (9 * MIB // 256) + b"end")
    medium.write_bytes(bytes(12 * MIB))
    said: list[str] = []
    device = os.open(medium, os.O_RDWR)
    try:
        total = copy.write(image, device, lambda what, done, of: said.append(f"{what} {done == of}"))
        copy.check(device, image.stat().st_size, total, lambda *_: None)
        assert said[-1] == "writing True"
        os.pwrite(device, b"?", 5 * MIB)
        with pytest.raises(TholeError, match="not what was written"):
            copy.check(device, image.stat().st_size, total, lambda *_: None)
    finally:
        os.close(device)
    assert medium.stat().st_size == 12 * MIB
