"""The parts of the disk that UEFI boots: the same bytes for the same input, and what they refuse."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from driver.errors import TholeError
from driver.host_tools import tool
from image import esp, verity


def test_a_sealed_root_is_checked_by_its_hash(tmp_path: Path) -> None:
    """Sealed twice it is the same, and veritysetup itself finds a flipped byte."""
    root = tmp_path / "root"
    root.write_bytes(bytes(range(256)) * 400)
    sealed = verity.seal(root, tmp_path / "one")
    assert sealed == verity.Sealed(tmp_path / "one", 25, sealed.salt, sealed.root_hash)
    assert verity.seal(root, tmp_path / "two").path.read_bytes() == sealed.path.read_bytes()
    assert check(sealed).returncode == 0
    with sealed.path.open("r+b") as stream:
        stream.seek(5000)
        stream.write(b"\xff\x00")
    assert check(sealed).returncode != 0


def check(sealed: verity.Sealed) -> subprocess.CompletedProcess[str]:
    """veritysetup reads all of it."""
    command = [
        *tool("veritysetup"), "verify", "--no-superblock", f"--salt={sealed.salt}", f"--data-blocks={sealed.blocks}",
        f"--hash-offset={sealed.blocks * verity.BLOCK}", sealed.path, sealed.path, sealed.root_hash,
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_kernel_is_told_which_partition_it_is(tmp_path: Path) -> None:
    """By a name that comes from the hash."""
    root = tmp_path / "root"
    root.write_bytes(b"x" * 4096)
    sealed = verity.seal(root, tmp_path / "sealed")
    line = sealed.arguments()
    assert f"PARTUUID={sealed.guid}" in line and sealed.root_hash in line
    assert str(sealed.guid).replace("-", "") == sealed.root_hash[:32]


def test_the_same_files_are_the_same_partition(tmp_path: Path) -> None:
    """And what was put in comes out."""
    program = tmp_path / "program"
    program.write_bytes(b"MZ" * 1000)
    files: dict[str, Path | str] = {"EFI/BOOT/BOOTX64.EFI": program, "loader/loader.conf": esp.LOADER_CONF}
    for name in ("one", "two"):
        esp.make(tmp_path / name, files, esp.needed(files, 0))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    shown = subprocess.run(
        [*tool("mcopy"), "-i", tmp_path / "one", "::/loader/loader.conf", "-"], capture_output=True, text=True, check=True
    )
    assert shown.stdout == esp.LOADER_CONF


def test_files_that_do_not_fit(tmp_path: Path) -> None:
    """The error names the partition."""
    large = tmp_path / "large"
    large.write_bytes(bytes(60 << 20))
    with pytest.raises(TholeError, match="esp.img was not made"):
        esp.make(tmp_path / "esp.img", {"large": large}, 40 << 20)
