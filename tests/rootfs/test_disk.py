"""Disk images: tables that other tools accept, roots that are whole."""

import struct
import zlib

import pytest

from driver.errors import TholeError
from image import disk, erofs, gpt

MIB = 1 << 20


def root_image(path, blocks=300, checksum=True):
    """A file with an erofs superblock of that many 4 KiB blocks."""
    head = bytearray(4096)
    struct.pack_into("<IIIB", head, 1024, 0xE0F5E1E2, 0, 1 if checksum else 0, 12)
    struct.pack_into("<I", head, 1024 + 36, blocks)
    if checksum:
        struct.pack_into("<I", head, 1028, erofs.crc32c(bytes(head[1024:])))
    path.write_bytes(bytes(head) + b"\xa5" * 4096 * (blocks - 1))
    return path


def make(tmp_path, slot=0, size=0, name="disk.img"):
    root = root_image(tmp_path / "root.erofs")
    path = tmp_path / name
    disk.write(path, disk.slots(root, erofs.check(root), slot, "amd64"), size)
    return root, path


def test_both_tables_agree_and_the_root_is_in_place(tmp_path):
    root, path = make(tmp_path)
    sectors = path.stat().st_size // gpt.SECTOR
    with open(path, "rb") as stream:
        first, backup = gpt.read(stream, sectors), gpt.read(stream, sectors, backup=True)
        assert first == backup
        (one,) = first[1]
        assert (one.name, one.number, one.first) == ("thole-root-a", 1, 2048)
        assert str(one.type) == "4f68bce3-e8cd-4db1-96e7-fbcaf984b709"
        stream.seek(one.first * gpt.SECTOR)
        assert stream.read(root.stat().st_size) == root.read_bytes()
    assert (one.last + 1) % gpt.ALIGNMENT == 0 and (
        one.last + 1 - one.first
    ) * gpt.SECTOR >= root.stat().st_size


def test_the_header_is_as_the_standard_says(tmp_path):
    """Read here by offsets of the UEFI specification, not by the code that wrote it."""
    _, path = make(tmp_path)
    data = path.read_bytes()
    sectors = len(data) // 512
    assert data[510:512] == b"\x55\xaa" and data[450] == 0xEE
    assert struct.unpack_from("<II", data, 454) == (1, sectors - 1)
    header = bytearray(data[512 : 512 + 92])
    assert header[:8] == b"EFI PART" and struct.unpack_from("<I", header, 12) == (92,)
    (checksum,) = struct.unpack_from("<I", header, 16)
    header[16:20] = bytes(4)
    assert zlib.crc32(header) == checksum
    here, other, first, last = struct.unpack_from("<QQQQ", header, 24)
    assert (here, other, first, last) == (1, sectors - 1, 34, sectors - 34)
    assert zlib.crc32(data[1024 : 1024 + 128 * 128]) == struct.unpack_from("<I", header, 88)[0]


def test_images_are_the_same_each_time(tmp_path):
    _, one = make(tmp_path, name="one")
    _, two = make(tmp_path, name="two")
    assert one.read_bytes() == two.read_bytes()


def test_room_can_be_left_and_costs_nothing(tmp_path):
    _, path = make(tmp_path, slot=64 * MIB, size=1024 * MIB)
    info = path.stat()
    assert info.st_size == 1024 * MIB and info.st_blocks * 512 < 8 * MIB
    with open(path, "rb") as stream:
        (one,) = gpt.read(stream, info.st_size // 512)[1]
    assert (one.last + 1 - one.first) * 512 == 64 * MIB


def test_a_disk_that_is_too_small_is_refused(tmp_path):
    with pytest.raises(TholeError, match="too small"):
        make(tmp_path, slot=64 * MIB, size=32 * MIB)
    assert not (tmp_path / "disk.img").exists()


def test_more_partitions_fit_behind_the_root(tmp_path):
    root = root_image(tmp_path / "root.erofs")
    wanted = disk.slots(root, root.stat().st_size, 0, "amd64")
    wanted += [
        disk.Slot(2, "thole-esp", gpt.ESP_TYPE, 64 * MIB),
        disk.Slot(4, "thole-data", gpt.LINUX_TYPE, 100 * MIB),
    ]
    disk.write(tmp_path / "d", wanted, 0)
    with open(tmp_path / "d", "rb") as stream:
        found = gpt.read(stream, (tmp_path / "d").stat().st_size // 512)[1]
    assert [one.name for one in found] == ["thole-root-a", "thole-esp", "thole-data"]


def test_overlaps_are_refused():
    one = gpt.Partition(1, "a", gpt.LINUX_TYPE, 2048, 4095, gpt.fixed_guid("a"))
    two = gpt.Partition(2, "b", gpt.LINUX_TYPE, 4095, 6000, gpt.fixed_guid("b"))
    with pytest.raises(ValueError, match="overlaps"):
        gpt.check(10_000, [one, two])
    with pytest.raises(ValueError, match="leaves the disk"):
        gpt.check(4100, [one])


@pytest.mark.parametrize("keep", [0, 100, 1100, 4096, 5000, 300 * 4096 - 1])
def test_a_root_that_is_cut_short_is_refused(tmp_path, keep):
    root = root_image(tmp_path / "root.erofs")
    root.write_bytes(root.read_bytes()[:keep])
    with pytest.raises(TholeError, match="cut short"):
        erofs.check(root)


def test_what_is_no_erofs_or_damaged_is_refused(tmp_path):
    root = root_image(tmp_path / "root.erofs")
    data = bytearray(root.read_bytes())
    data[1100] ^= 1
    root.write_bytes(data)
    with pytest.raises(TholeError, match="checksum"):
        erofs.check(root)
    root.write_bytes(bytes(8192))
    with pytest.raises(TholeError, match="no erofs image"):
        erofs.check(root)
    with pytest.raises(TholeError, match="there is no root image"):
        erofs.check(tmp_path / "absent")


def test_crc32c_is_the_castagnoli_one():
    assert erofs.crc32c(b"123456789") ^ 0xFFFFFFFF == 0xE3069283
