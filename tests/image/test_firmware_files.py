"""Firmware and microcode that are handed over: kept whole or not at all, and where the kernel looks for them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from driver import hardware
from driver.errors import TholeError
from image import initramfs


@pytest.fixture
def given(tmp_path: Path) -> Path:
    """A folder as linux-firmware has it, with one file named by a link."""
    folder = tmp_path / "given"
    for name, content in {
        "tigon/tg3.bin": b"tg3", "intel-ucode/06-55-04": b"A" * 16, "intel-ucode/06-6a-06": b"B" * 16,
        "amd-ucode/microcode_amd.bin": b"C" * 16, "amd-ucode/README.txt": b"not this",
    }.items():  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    (folder / "tigon/other.bin").symlink_to("tg3.bin")
    return folder


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where it is kept, in place of the checkout's own build folder."""
    folder = tmp_path / "build" / "hardware"
    monkeypatch.setattr(hardware, "FOLDER", folder)
    monkeypatch.setattr(hardware, "FIRMWARE", folder / "firmware")
    monkeypatch.setattr(hardware, "SUMS", folder / "sums")
    hardware.ensure()
    return folder


def test_what_is_handed_over_is_kept(given: Path, kept: Path) -> None:
    """All files with their sums; a link is the file that it names; `none` forgets them."""
    assert (kept / "sums").read_text() == ""
    hardware.take(str(given))
    assert (kept / "firmware/tigon/other.bin").read_bytes() == b"tg3" and not (kept / "firmware/tigon/other.bin").is_symlink()
    assert len((kept / "sums").read_text().splitlines()) == 6
    hardware.take("none")
    assert (kept / "sums").read_text() == "" and not hardware.files(kept / "firmware")


@pytest.mark.parametrize("wrong", ["nowhere", "empty"])
def test_bad_input_changes_nothing(wrong: str, given: Path, kept: Path, tmp_path: Path) -> None:
    """A folder that is not there, or has no files."""
    (tmp_path / "empty").mkdir()
    hardware.take(str(given))
    with pytest.raises(TholeError, match="is no folder|has no files"):
        hardware.take(str(tmp_path / wrong))
    assert len(hardware.files(kept / "firmware")) == 6


def test_the_kernel_finds_it(given: Path, tmp_path: Path) -> None:
    """Devices' files where its loader looks, microcode joined by maker and by itself, as cpio reads it."""
    assert sorted(initramfs.firmware(given)) == ["lib/firmware/tigon/other.bin", "lib/firmware/tigon/tg3.bin"]
    microcode = initramfs.microcode(given)
    assert microcode["kernel/x86/microcode/GenuineIntel.bin"] == b"A" * 16 + b"B" * 16
    assert microcode["kernel/x86/microcode/AuthenticAMD.bin"] == b"C" * 16
    made = initramfs.archive(tmp_path / "firmware.cpio", initramfs.firmware(given))
    assert made
    with made.open("rb") as stream:
        listed = subprocess.run(["cpio", "-t", "--quiet"], stdin=stream, capture_output=True, text=True, check=True)
    assert "lib/firmware/tigon/tg3.bin" in listed.stdout.split()


def test_nothing_handed_over_is_no_archive(tmp_path: Path) -> None:
    """Then the images are what they were."""
    assert initramfs.archive(tmp_path / "none", initramfs.firmware(tmp_path / "nowhere")) is None
