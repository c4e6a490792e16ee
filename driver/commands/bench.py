"""Measure and print: `boot` sizes, boot and rebuild times, each beside its goal; `init` PID 1 beside its peers.

boot: a node is booted with an empty data disk. For the rebuild one source file of init/ is edited, and put back
afterwards. init: needs root; docs/benchmarks.md says how it measures.
"""

from __future__ import annotations

import argparse
import json
import sys


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `./thole bench`."""
    parser.add_argument("what", choices=["boot", "init"], help="what to measure")
    parser.add_argument("--memory", default="2G", help="memory of the VM (default: %(default)s)")
    parser.add_argument("--cpus", type=int, default=2, help="processors of the VM (default: %(default)s)")
    parser.add_argument("--only", action="append", metavar="NAME", help="init: this peer (again and again)")
    parser.add_argument("--quick", action="store_true", help="init: fewer repetitions, shorter idle time")
    parser.add_argument("--rounds", type=int, metavar="N", help="init: so many repetitions (default: 5, 3 of VMs)")
    parser.add_argument("--write", action="store_true", help="init: put the tables into docs/benchmarks.md")
    parser.add_argument("--json", action="store_true", help="the figures as JSON")


def main(options: argparse.Namespace) -> int:
    """Build, measure, print."""
    return measure_init(options) if options.what == "init" else measure_boot(options)


def measure_init(options: argparse.Namespace) -> int:
    """PID 1 beside its peers."""
    from driver import build, display, setup
    from driver.paths import CHECKOUT

    # Its own package, beside the tests: bench.
    sys.path.append(str(CHECKOUT / "tests"))
    from bench import run

    shown = display.create()
    if run.wants_vm(options):
        build.everything(shown, "kubernetes")
        setup.ensure_qemu(shown)
    else:
        setup.ensure(shown, "build")
        build.make(build.target(), shown, ("init/init",))
    return run.main(options, shown)


def measure_boot(options: argparse.Namespace) -> int:
    """Sizes, a boot, rebuilds."""
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
