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
        help="of the node (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--format", choices=["bios", "disk", "init", "live", "oci", "uefi", "upgrade"], default="disk",
        help="init: no more than that; oci: a container image as well, as a folder and as an archive for `docker load` (docs/container.md); uefi:"
        " a disk that UEFI boots as well; bios: the same for an old PC's BIOS too; live: for sticks, CDs and the network, to run or to install; upgrade: what"
        " `thole upgrade` takes, not signed (docs/images.md)",
    )  # fmt: skip
    parser.add_argument(
        "--keys", type=Path, metavar="FOLDER", help="sign the format with the keys that `./thole keys FOLDER` made"
    )
    parser.add_argument(
        "--firmware", metavar="FOLDER",
        help="firmware of devices and microcode of processors, laid out like /lib/firmware, for this build and later ones;"
        " `none` forgets them",
    )  # fmt: skip
    parser.add_argument("--k3s", type=Path, metavar="FILE", help="the k3s program of the pinned release, with --sha256")
    parser.add_argument("--sha256", metavar="SUM", help="of that file")
    parser.add_argument(
        "--k3s-images", metavar="FILE",
        help="its archive of images, with --k3s-images-sha256; `none`: nodes fetch them from the network",
    )  # fmt: skip
    parser.add_argument("--k3s-images-sha256", metavar="SUM", help="of that archive")
    parser.add_argument(
        "--locked", type=Path, metavar="FILE", help="take the package versions of a release's manifest.json, and no others"
    )
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


def take_lock(path: Path | None) -> None:
    """The versions of an earlier build, if they are still to be had."""
    from driver import build, locked
    from driver.apt import Apt

    if path:
        for suite, versions in locked.use(path).items():
            Apt(suite).check_lock(versions)
    build.note_lock(path)


def main(options: argparse.Namespace) -> int:
    """Build and print the table."""
    from driver import artefacts, build, display, hardware, signed

    profile = build.need_profile(options.profile)
    take_k3s(options, profile)
    if options.keys:
        signed.need(options.format, options.keys)
    take_lock(options.locked)
    if options.firmware:
        hardware.take(options.firmware)
    form = "disk" if options.keys else options.format
    tree = build.everything(display.create(), profile, options.update, options.arch, form)
    rows = artefacts.collect(tree.directory)
    if options.keys:
        rows += artefacts.rows_of(signed.make(tree.directory, options.format, options.keys))
    print(json.dumps(rows, indent=2) if options.json else artefacts.table(rows))
    return 0
