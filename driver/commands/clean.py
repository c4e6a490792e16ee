"""Remove the build directory. With --cache also the caches: the next build fetches and compiles everything again."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `./thole clean`."""
    parser.add_argument("--cache", action="store_true", help="remove the caches too")


def main(options: argparse.Namespace) -> int:
    """Remove and say what."""
    from driver.cache import default_root, remove_tree
    from driver.libraries import LIBRARIES, SUBPROJECTS
    from driver.paths import BUILD

    places = [BUILD, *(SUBPROJECTS / name for name in LIBRARIES)]
    if options.cache:
        places.append(default_root())
    for place in places:
        if place.exists():
            remove_tree(place)
            print(f"removed {place}")
    return 0
