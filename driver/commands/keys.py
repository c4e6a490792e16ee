"""Make the keys of your images: for Secure Boot, and for upgrades.

`./thole build --keys FOLDER` signs with them. Whoever has the folder can make what your machines start: keep it off them.
"""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `./thole keys`."""
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="a new one, for you alone")


def main(options: argparse.Namespace) -> int:
    """Make them, and say what they are for."""
    from image import secure_boot, upgrade

    keys = secure_boot.make(options.folder)
    print(
        f"""made keys in {options.folder}
  ./thole build --format uefi --keys {options.folder}       images that are signed with them (docs/images.md)
nodes take upgrades that are signed with them by this in node.ini:
  [upgrade]
  keys = {upgrade.public_key(keys.upgrade)}"""
    )
    return 0
