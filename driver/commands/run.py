"""Boot a node in QEMU, after building what changed.

In a terminal it ends on the node's console. With --exec it runs one command on the node, with --check the
checks.
"""

from __future__ import annotations

import argparse

from qemu import run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `./thole run`."""
    run.add_arguments(parser)
    parser.add_argument(
        "--profile", default="kubernetes", help="which root file system (default: %(default)s)"
    )
    parser.add_argument("--no-build", action="store_true", help="boot what is there, as it is")


def main(options: argparse.Namespace) -> int:
    """Build, then hand over to the room qemu."""
    from driver import build, display, setup

    shown = display.create()
    if not options.no_build:
        build.everything(shown, build.need_profile(options.profile))
    else:
        setup.ensure(shown, "build")
    setup.ensure_qemu(shown)
    return run.main(options)
