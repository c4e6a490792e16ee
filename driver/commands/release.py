"""Make a folder to hand out: all formats of an image, compressed, with a manifest, sums and a bill of materials.

It is build/x86_64/release; `sha256sum --check SHA256SUMS` there checks it.
"""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `./thole release`."""
    parser.add_argument("--profile", default="kubernetes", help="which root file system (default: %(default)s)")
    parser.add_argument("--keys", type=Path, metavar="FOLDER", help="sign with the keys that `./thole keys FOLDER` made")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="default: release in the build's folder")


def main(options: argparse.Namespace) -> int:
    """Build all formats, sign where there are keys, write the folder."""
    from driver import artefacts, build, display, release, signed

    profile = build.need_profile(options.profile)
    for form in signed.STEPS if options.keys else ():
        signed.need(form, options.keys)
    shown = display.create()
    build.setup.ensure(shown, "build")
    tree = build.target("x86_64", profile)
    build.make(tree, shown, ("all", *(name for names in build.FORMATS.values() for name in names)))
    for form in signed.STEPS if options.keys else ():
        signed.make(tree.directory, form, options.keys)
    kernel = (tree.directory / "kernel-config/version").read_text().strip()
    facts = {
        "version": signed.version(), "profile": profile, "architecture": "x86_64", "kernel": kernel,
        "packages": release.packages(tree.directory),
    }  # fmt: skip
    out = options.out or tree.directory / "release"
    shown.begin("release")
    rows = release.write(tree.directory, out, facts, bool(options.keys), lambda name: shown.update_text("release", name))
    shown.end()
    print(artefacts.table([{**row, "path": str(out / row["name"])} for row in rows]))
    return 0
