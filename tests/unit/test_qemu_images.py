"""Images that are cut short or damaged are told from good ones."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import pytest
from disks import make_disk

from qemu import images
from qemu.images import ImageError


def test_a_whole_disk_passes(tmp_path: Path) -> None:
    make_disk(tmp_path / "disk.img")
    images.check_disk(tmp_path / "disk.img")
    (partition,) = images.read_gpt(tmp_path / "disk.img")
    assert partition.label == "thole-root-a"
    assert partition.start == 1 << 20


@pytest.mark.parametrize("lost", [1, 512, 1 << 20, (8 << 20) - 100])
def test_a_disk_cut_short_is_refused(tmp_path: Path, lost: int) -> None:
    disk = tmp_path / "disk.img"
    make_disk(disk)
    with disk.open("r+b") as file:
        file.truncate((8 << 20) - lost)
    with pytest.raises(ImageError, match="cut short|no partition table"):
        images.check_disk(disk)


@pytest.mark.parametrize("at", [512 + 40, 1024 + 57, (8 << 20) - 512 + 24])
def test_a_damaged_table_is_refused(tmp_path: Path, at: int) -> None:
    disk = tmp_path / "disk.img"
    make_disk(disk)
    with disk.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))
    with pytest.raises(ImageError, match="damaged|cut short"):
        images.check_disk(disk)


def test_another_label_or_no_erofs_is_refused(tmp_path: Path) -> None:
    disk = tmp_path / "disk.img"
    make_disk(disk, label="somebody-else")
    with pytest.raises(ImageError, match=r"no partition thole-root-a, only \['somebody-else'\]"):
        images.check_disk(disk)
    make_disk(disk)
    with disk.open("r+b") as file:
        file.seek((1 << 20) + 1024)
        file.write(bytes(4))
    with pytest.raises(ImageError, match="holds no erofs"):
        images.check_disk(disk)


def test_an_erofs_larger_than_its_partition_is_refused(tmp_path: Path) -> None:
    make_disk(tmp_path / "disk.img", erofs_blocks=100_000)
    with pytest.raises(ImageError, match="root file system .* is cut short"):
        images.check_disk(tmp_path / "disk.img")


@pytest.mark.parametrize("content", [b"", b"MZ" + bytes(100), b"\x7fELF" + bytes(10)])
def test_what_is_no_kernel_is_refused(tmp_path: Path, content: bytes) -> None:
    kernel = tmp_path / "vmlinux"
    kernel.write_bytes(content)
    with pytest.raises(ImageError, match="is empty|no ELF file"):
        images.check_kernel(kernel)


def test_a_kernel_cut_short_is_refused(tmp_path: Path) -> None:
    kernel = tmp_path / "vmlinux"
    whole = Path("/proc/self/exe").read_bytes()
    kernel.write_bytes(whole)
    images.check_kernel(kernel)
    kernel.write_bytes(whole[: len(whole) // 3])
    with pytest.raises(ImageError, match="cut short"):
        images.check_kernel(kernel)


def test_a_clean_ext4_passes_and_a_mounted_one_does_not(tmp_path: Path) -> None:
    disk = tmp_path / "data.img"
    images.make_sparse(disk, 64 << 20)
    with pytest.raises(ImageError, match="no partition table"):
        images.check_ext4(disk)
    subprocess.run(["/sbin/mke2fs", "-q", "-t", "ext4", str(disk)], check=True)
    images.check_ext4(disk)
    with disk.open("r+b") as file:
        file.seek(1024 + 96)
        (features,) = struct.unpack("<I", file.read(4))
        file.seek(1024 + 96)
        file.write(struct.pack("<I", features | images.EXT4_NEEDS_RECOVERY))
    with pytest.raises(ImageError, match="was not unmounted"):
        images.check_ext4(disk)
