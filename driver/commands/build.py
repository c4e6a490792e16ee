"""Build what a node runs: init, kernel, Kubernetes, root file system and disk image.

Set-up is part of it: packages, tools and sources that are missing are fetched first. With nothing changed it
takes less than a second. Ends with a table of what was made; progress goes to standard error, logs to
build/logs.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

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
    parser.add_argument("--k3s", type=Path, metavar="FILE", help="the k3s program of the pinned release, with --sha256")
    parser.add_argument("--sha256", metavar="SUM", help="of that file")
    parser.add_argument(
        "--k3s-images", metavar="FILE",
        help="its archive of images, with --k3s-images-sha256; `none`: nodes fetch them from the network",
    )  # fmt: skip
    parser.add_argument("--k3s-images-sha256", metavar="SUM", help="of that archive")
    parser.add_argument("--json", action="store_true", help="the table as JSON: name, path, bytes, sha256")
    parser.add_argument("--update", action="store_true", help="fetch newer Debian package indexes first")


def take_k3s(options: argparse.Namespace, profile: str) -> None:
    """Keep the files of k3s that were handed over. Nothing is built where one is not what it should be."""
    given = {
        "--k3s": options.k3s, "--sha256": options.sha256,
        "--k3s-images": options.k3s_images, "--k3s-images-sha256": options.k3s_images_sha256,
    }  # fmt: skip
    used = [name for name, value in given.items() if value]
    if not used:
        return
    if "k3s" not in profile.split(","):
        raise TholeError(f"{used[0]} is for the profile k3s, and this is {profile}", "add --profile k3s")
    pairs = (("--k3s", "--sha256"), ("--k3s-images", "--k3s-images-sha256"))
    for file, total in pairs:
        wanted = bool(given[file]) and given[file] != "none"
        if wanted != bool(given[total]):
            raise TholeError(f"{file} and {total} go together", f"give both, or neither; {file} takes a file")
    from driver.cache import Cache
    from services.k3s import choice

    choice.take(
        options.arch, options.k3s, options.sha256, options.k3s_images, options.k3s_images_sha256, Cache()
    )


def main(options: argparse.Namespace) -> int:
    """Build and print the table."""
    from driver import artefacts, build, display

    profile = build.need_profile(options.profile)
    take_k3s(options, profile)
    if options.format != "disk" and options.arch != "x86_64":
        raise TholeError(f"there is no root file system for {options.arch} yet, and so no container image of it")
    tree = build.everything(display.create(), profile, options.update, options.arch, options.format)
    rows = artefacts.collect(tree.directory)
    print(json.dumps(rows, indent=2) if options.json else artefacts.table(rows))
    return 0
