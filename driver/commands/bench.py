"""Measure and print: `boot` sizes, boot and rebuild times, each beside its goal; `image` sizes of all profiles, ways to
boot, builds; `init` PID 1 beside its peers; `mesh` the nodes' network; `slurm` a node of SLURM, `cluster` a server and an agent of Kubernetes beside a Debian with systemd.

boot: a node is booted with an empty data disk. For the rebuild one source file of init/ is edited, and put back
afterwards. init: needs root. docs/benchmarks.md says how it, mesh, slurm and cluster measure.
"""

from __future__ import annotations

import argparse
import json
import sys


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `./thole bench`."""
    parser.add_argument("what", choices=["boot", "image", "init", "mesh", "slurm", "cluster"], help="what to measure")
    parser.add_argument("--memory", default="2G", help="memory of the VM (default: %(default)s)")
    parser.add_argument("--cpus", type=int, default=2, help="processors of the VM (default: %(default)s)")
    parser.add_argument(
        "--only", action="append", metavar="NAME",
        help="init: this peer; mesh, image: this part; slurm, cluster: this side (again and again)",
    )  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="not boot: fewer repetitions, less idle time")
    parser.add_argument("--rounds", type=int, metavar="N", help="not boot: repetitions (default: 5; of VMs 3)")
    parser.add_argument("--write", action="store_true", help="not boot: put the tables into docs/benchmarks.md")
    parser.add_argument("--json", action="store_true", help="the figures as JSON")


def main(options: argparse.Namespace) -> int:
    """Build, measure, print."""
    measure = {
        "init": measure_init, "mesh": measure_mesh, "slurm": measure_slurm, "boot": measure_boot,
        "cluster": measure_cluster, "image": measure_image,
    }  # fmt: skip
    return measure[options.what](options)


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


def measure_mesh(options: argparse.Namespace) -> int:
    """The mesh: in VMs, its part of the binary, its simulation."""
    from driver import build, display, setup
    from driver.paths import CHECKOUT

    sys.path.append(str(CHECKOUT / "tests"))
    from bench.mesh import run

    parts = run.needs(options)
    shown = display.create()
    if parts - {"simulation"}:
        build.everything(shown, build.built_profile())  # its services do not run here, whichever they are
        setup.ensure_qemu(shown)
    if "simulation" in parts:
        setup.ensure(shown, "build", "test")
        build.make(build.measured(), shown, (run.SIMULATION,))
    return run.main(options, shown)


def measure_slurm(options: argparse.Namespace) -> int:
    """SLURM on a node and on a Debian with systemd."""
    from driver import build, display, setup
    from driver.paths import CHECKOUT

    sys.path.append(str(CHECKOUT / "tests"))
    from bench.slurm import run

    run.chosen(options)
    shown = display.create()
    build.everything(shown, "slurm")
    setup.ensure_qemu(shown)
    return run.main(options, shown)


def measure_cluster(options: argparse.Namespace) -> int:
    """A cluster of two nodes, and one of two Debians with systemd."""
    from driver import build, display, setup
    from driver.paths import CHECKOUT

    sys.path.append(str(CHECKOUT / "tests"))
    from bench.cluster import run

    run.chosen(options)
    shown = display.create()
    build.everything(shown, "kubernetes")
    setup.ensure_qemu(shown)
    return run.main(options, shown)


def measure_image(options: argparse.Namespace) -> int:
    """Sizes, boots, builds."""
    from driver import build, display, setup
    from driver.paths import CHECKOUT

    sys.path.append(str(CHECKOUT / "tests"))
    from bench.image import run, sizes

    run.chosen(options)
    shown = display.create()
    tree = build.everything(shown, build.built_profile())
    others = [name for name in sizes.PROFILES if name != build.built_profile()]
    build.make(tree, shown, tuple(build.also_target(name) for name in others))
    setup.ensure_qemu(shown)
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
