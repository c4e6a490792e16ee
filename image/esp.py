"""The EFI system partition: a FAT file system made without root, the same bytes for the same files."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from driver.errors import TholeError
from driver.host_tools import tool

MIB = 1 << 20
_SERIAL = "74686f6c"  # of the volume; any, but always the same
_ENVIRONMENT = {"SOURCE_DATE_EPOCH": "0", "MTOOLS_SKIP_CHECK": "1", "TZ": "UTC"}
LOADER_CONF = "timeout 0\neditor no\nauto-entries no\nauto-firmware no\n"


def make(target: Path, files: dict[str, Path | str], size: int, sectors_before: int = 0) -> None:
    """Write the partition's image. `files`: path in it to a file of this machine, or to a text. A boot sector counts from
    the disk's beginning: `sectors_before` the partition.
    """
    target.unlink(missing_ok=True)
    with target.open("wb") as stream:
        stream.truncate(size)
    _run([*tool("mkfs.vfat"), "--invariant", "-F", "32", "-i", _SERIAL, "-n", "THOLE-ESP",
          "-h", str(sectors_before), str(target)], target)  # fmt: skip
    for folder in sorted({str(parent) for path in files for parent in Path(path).parents} - {"/", "."}):
        _run([*tool("mmd"), "-i", str(target), f"::/{folder}"], target)
    for path, source in sorted(files.items()):
        if isinstance(source, Path):
            _run([*tool("mcopy"), "-i", str(target), str(source), f"::/{path}"], target)
        else:
            _run([*tool("mcopy"), "-i", str(target), "-", f"::/{path}"], target, source)


def needed(files: dict[str, Path | str], spare: int) -> int:
    """Whole MiB for these files, `spare` bytes and the file system's own tables; FAT32 has 33 MiB at least."""
    total = sum(source.stat().st_size if isinstance(source, Path) else len(source) for source in files.values())
    return max(-(-(total + spare) // MIB) + 4, 40) * MIB


def _run(command: list[str], target: Path, text: str | None = None) -> None:
    done = subprocess.run(
        command, env={**os.environ, **_ENVIRONMENT}, input=text, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise TholeError(f"{target.name} was not made: {' '.join(command[-3:])}: {done.stderr.strip()}", "see image/esp.py")
