"""Firmware files of devices and microcode of processors that somebody hands over for an image: kept below build/.

No licence lets us bring them along for everybody; Debian's non-free-firmware and linux-firmware have them.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from driver.cache import digest
from driver.errors import TholeError
from driver.paths import BUILD

FOLDER = BUILD / "hardware"
FIRMWARE = FOLDER / "firmware"
# What steps depend on: it changes with every file.
SUMS = FOLDER / "sums"


def ensure() -> None:
    """Where nobody has handed anything over: nothing is there, and steps can depend on it."""
    if not SUMS.exists():
        FIRMWARE.mkdir(parents=True, exist_ok=True)
        SUMS.write_text("")


def take(given: str) -> None:
    """Keep a folder that is laid out like /lib/firmware, for this build and later ones; `none` forgets it."""
    source = Path(given)
    if given != "none" and not source.is_dir():
        raise TholeError(f"{given} is no folder", "--firmware takes a folder laid out like /lib/firmware, or `none`")
    found = [] if given == "none" else files(source)
    if given != "none" and not found:
        raise TholeError(f"{given} has no files", "--firmware takes a folder laid out like /lib/firmware, or `none`")
    part = FOLDER.with_name(f".{FOLDER.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    for path in found:
        target = part / FIRMWARE.name / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        target.chmod(0o644)
    (part / FIRMWARE.name).mkdir(parents=True, exist_ok=True)
    sums = "".join(f"{digest(path)}  {path.relative_to(source)}\n" for path in found)
    if SUMS.exists() and SUMS.read_text() == sums:
        shutil.rmtree(part)
        return
    (part / SUMS.name).write_text(sums)
    shutil.rmtree(FOLDER, ignore_errors=True)
    os.rename(part, FOLDER)


def files(folder: Path) -> list[Path]:
    """Its files in a fixed order; what links name counts as a file of its own."""
    return sorted(path for path in folder.rglob("*") if path.is_file())
