"""What a PC's BIOS needs on the disk that UEFI boots: SYSLINUX in the first sector and on the ESP, and the kernel by itself.

SYSLINUX knows one version only: there is no counting of tries, and so no upgrade in place on such a machine.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

from driver.errors import TholeError
from driver.host_tools import tool, unpacked
from image import gpt, initramfs
from image.options import Source

_FOLDER = "syslinux"
_CONFIG = """\
SERIAL 0 115200
PROMPT 0
TIMEOUT 1
DEFAULT thole
LABEL thole
  LINUX /{folder}/kernel
  APPEND {line}
"""
_INITRD = "  INITRD {}\n"
# What it calls by name.
_MTOOLS = ("mattrib", "mcopy", "mmove")


def files(source: Source, line: str, scratch: Path) -> dict[str, Path | str]:
    """What lies on the ESP beside the loader itself. Microcode has to be the first that the kernel is given."""
    archives = {
        "microcode": initramfs.archive(scratch / "bios.microcode", initramfs.microcode(source.firmware)),
        "firmware": initramfs.archive(scratch / "bios.firmware", initramfs.firmware(source.firmware)),
    }
    given = {f"{_FOLDER}/{name}": path for name, path in archives.items() if path}
    config = _CONFIG.format(folder=_FOLDER, line=line)
    if given:
        config += _INITRD.format(",".join(f"/{place}" for place in given))
    return {f"{_FOLDER}/kernel": source.kernel, f"{_FOLDER}/syslinux.cfg": config, **given}


def install(partition: Path, scratch: Path) -> None:
    """Put the loader into the partition's image, and its boot sector in front of it."""
    programs = scratch / "mtools"
    programs.mkdir()
    for name in _MTOOLS:
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec {shlex.join(tool(name))} "$@"\n')
        program.chmod(0o755)
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "SOURCE_DATE_EPOCH": "0", "TZ": "UTC"}
    command = [*tool("syslinux"), "--install", "--directory", f"/{_FOLDER}", str(partition)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0 or done.stderr.strip():
        raise TholeError(f"SYSLINUX was not installed in {partition.name}: {done.stderr.strip()}", "see image/bios.py")


def boot_code() -> bytes:
    """SYSLINUX' own for the first sector of a disk with a GPT: it starts the partition that is marked for it."""
    return (unpacked("syslinux") / "usr/lib/SYSLINUX/gptmbr.bin").read_bytes()[: gpt.BOOT_CODE]
