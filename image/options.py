"""What bootable images are made of, and the options that their steps share."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from driver.hardware import FIRMWARE
from image import gpt


@dataclass(frozen=True)
class Source:
    """A version of the system."""

    root: Path  # erofs
    kernel: Path
    version: str
    arch: str = "amd64"  # Debian's name
    append: str = ""  # more for the kernel command line
    firmware: Path = FIRMWARE  # laid out like /lib/firmware


def source(options: argparse.Namespace) -> Source:
    """The one that a command line names."""
    given = (options.root, options.kernel, options.version, options.arch, options.append, options.firmware)
    return Source(*given)


def parser(description: str, out: str) -> argparse.ArgumentParser:
    """A parser with them; `out` says what goes to the folder."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--root", required=True, type=Path, metavar="EROFS")
    made.add_argument("--kernel", required=True, type=Path, metavar="BZIMAGE")
    made.add_argument("--version", required=True, help="of the system")
    made.add_argument("--out", required=True, type=Path, metavar="DIR", help=out)
    made.add_argument("--arch", default="amd64", choices=sorted(gpt.ROOT_TYPES))
    made.add_argument("--append", default="", help="more for the kernel command line")
    made.add_argument("--keys", type=Path, metavar="FOLDER", help="signs for Secure Boot, see secure_boot.py")
    made.add_argument(
        "--firmware", type=Path, default=FIRMWARE, metavar="FOLDER",
        help="firmware and microcode, laid out like /lib/firmware (default: %(default)s)",
    )  # fmt: skip
    return made
