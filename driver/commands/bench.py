"""Measure and print: sizes, memory of PID 1, boot times, rebuild times, each beside its goal.

A node is booted with an empty data disk. For the rebuild one source file of init/ is edited, and put back
afterwards.
"""

from __future__ import annotations

import argparse
import json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `./thole bench`."""
    parser.add_argument("what", choices=["boot"], help="what to measure")
    parser.add_argument("--memory", default="2G", help="memory of the VM (default: %(default)s)")
    parser.add_argument("--cpus", type=int, default=2, help="processors of the VM (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="the figures as JSON")


def main(options: argparse.Namespace) -> int:
    """Build, measure, print."""
    from driver import bench, build, display, setup
    from qemu.host import parse_size

    shown = display.create()
    build.everything(shown, "kubernetes")
    setup.ensure(shown, "build")
    setup.ensure_qemu(shown)
    shown.update_text("bench", "booting a node")
    figures = bench.sizes() + bench.boot(shown, parse_size(options.memory), options.cpus)
    shown.update_text("bench", "building with nothing changed")
    figures += bench.rebuilds(shown)
    shown.end()
    print(
        json.dumps([figure._asdict() for figure in figures], indent=2)
        if options.json
        else bench.table(figures)
    )
    return 0
