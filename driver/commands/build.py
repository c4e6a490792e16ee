"""Build what a node runs: init, kernel, Kubernetes, root file system and disk image.

Set-up is part of it: packages, tools and sources that are missing are fetched first. With nothing changed it
takes less than a second. Ends with a table of what was made; progress goes to standard error, logs to
build/logs.
"""

from __future__ import annotations

import argparse
import json

from driver.errors import TholeError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `./thole build`."""
    parser.add_argument(
        "--profile", default="kubernetes", help="which root file system (default: %(default)s)"
    )
    parser.add_argument(
        "--arch", choices=["x86_64", "aarch64"], default="x86_64",
        help="of the node; for aarch64 the init alone, so far (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--format", choices=["disk", "oci"], default="disk",
        help="oci: a container image as well, as a folder and as an archive for `docker load` (docs/container.md)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="the table as JSON: name, path, bytes, sha256")
    parser.add_argument("--update", action="store_true", help="fetch newer Debian package indexes first")


def main(options: argparse.Namespace) -> int:
    """Build and print the table."""
    from driver import artefacts, build, display

    profile = build.need_profile(options.profile)
    if options.format != "disk" and options.arch != "x86_64":
        raise TholeError(f"there is no root file system for {options.arch} yet, and so no container image of it")
    tree = build.everything(display.create(), profile, options.update, options.arch, options.format)
    rows = artefacts.collect(tree.directory)
    print(json.dumps(rows, indent=2) if options.json else artefacts.table(rows))
    return 0
