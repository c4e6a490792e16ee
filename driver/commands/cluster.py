"""Boot several nodes on one network in QEMU, after building what changed; then use and hurt them.

The nodes are node1, node2, ... with addresses 192.168.73.1, .2, ...; they need no right on this machine. It stays until
Ctrl-C. Commands for a cluster that runs are given in another terminal.
"""

from __future__ import annotations

import argparse

from qemu.cluster import run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `./thole cluster`."""
    parser.add_argument("--profile", help="which root file system (default: base; with --no-build what was built)")
    parser.add_argument("--no-build", action="store_true", help="boot what is there, as it is")
    run.add_arguments(parser)


def main(options: argparse.Namespace) -> int:
    """Talk to a running cluster, or build and start one."""
    from driver import build, display, setup

    if options.action:
        return run.act(options)
    profile = build.need_profile(options.profile or (build.built_profile() if options.no_build else "base"))
    spec = run.prepare(options, profile)
    shown = display.create()
    if options.no_build:
        setup.ensure(shown, "build")
    else:
        build.everything(shown, profile)
    setup.ensure_qemu(shown)
    return run.run(spec, options)
