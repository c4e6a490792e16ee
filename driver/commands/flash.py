"""Write an image to a disk of this machine, and read it back.

All that is on the disk is lost. One that is mounted, swap space, or part of something else is refused, and so is one
that is too small. Without --yes the disk is shown and its name asked for.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from driver.errors import TholeError

if TYPE_CHECKING:
    from driver.flashing.target import Target


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `./thole flash`."""
    parser.add_argument("image", type=Path, metavar="IMAGE", help="such as build/x86_64/image/uefi.img")
    parser.add_argument("device", type=Path, metavar="DEVICE", help="a whole disk, such as /dev/sdX")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def main(options: argparse.Namespace) -> int:
    """Check, ask, write, read back."""
    from driver import display
    from driver.flashing import copy, target

    size = need_image(options.image)
    disk = target.look(options.device)
    need_room(disk, size)
    print(disk.describe())
    if not options.yes:
        confirm(disk)
    shown = display.create()

    def say(what: str, done: int, total: int) -> None:
        shown.update_text("flash", f"{what} {done * 100 // total} % of {total >> 20} MiB")

    try:
        # The kernel refuses an exclusive open of a disk that somebody uses: whoever began after the look above.
        device = os.open(options.device, os.O_RDWR | os.O_EXCL | os.O_CLOEXEC)
    except OSError as error:
        raise TholeError(f"{options.device} cannot be written: {error.strerror}", "are you root, and is it unused?") from None
    try:
        total = copy.write(options.image, device, say)
        copy.check(device, size, total, say)
    finally:
        os.close(device)
    shown.end()
    print(f"{options.image} is on {options.device}, read back and the same (sha256 {total})")
    return 0


def need_image(image: Path) -> int:
    """The size of an image that is a disk; TholeError for anything else."""
    from qemu.images import read_gpt

    if not image.is_file():
        raise TholeError(f"there is no image {image}", "./thole build --format uefi makes one")
    read_gpt(image)
    return image.stat().st_size


def need_room(disk: Target, size: int) -> None:
    """Refuse a disk that is in use or too small."""
    if disk.users:
        raise TholeError(f"{disk.path} is in use and was not touched: {'; '.join(disk.users)}", "name another disk")
    if disk.size < size:
        raise TholeError(
            f"{disk.path} has {disk.size >> 20} MiB, the image {size >> 20} MiB; nothing was written", "a larger disk"
        )


def confirm(disk: Target) -> None:
    """The person types the disk's name; anything else ends it."""
    if not sys.stdin.isatty():
        raise TholeError("nobody is there to ask whether this disk may be erased", "--yes says so")
    if input(f"All of it will be lost. Type {disk.name} to go on: ").strip() != disk.name:
        raise TholeError("nothing was written")
