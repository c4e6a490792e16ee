"""Remove what was built. With --cache also the caches: the next build fetches and compiles everything again.

Data disks of nodes that `./thole run` started (build/run) stay, unless --nodes is given.
"""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `./thole clean`."""
    parser.add_argument("--cache", action="store_true", help="remove the caches too")
    parser.add_argument("--nodes", action="store_true", help="remove the nodes' data disks too")


def main(options: argparse.Namespace) -> int:
    """Remove and say what."""
    from driver.cache import default_root, remove_tree
    from driver.libraries import LIBRARIES, SUBPROJECTS
    from driver.paths import BUILD
    from qemu.session import RUN, Session

    places = [path for path in (BUILD.iterdir() if BUILD.is_dir() else []) if path != RUN]
    places += [SUBPROJECTS / name for name in LIBRARIES]
    if options.nodes and RUN.is_dir():
        for folder in RUN.iterdir():
            # Refuses while a node runs from there.
            with Session(folder):
                places.append(folder)
    if options.cache:
        places.append(default_root())
    for place in places:
        if place.exists():
            remove_tree(place)
            print(f"removed {place}")
    return 0
