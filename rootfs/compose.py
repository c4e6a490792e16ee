#!/usr/bin/env python3
"""Composes a node's root: Debian packages, skeleton, services, binaries and init into tar and erofs.

compose.py --profile kubernetes --init build/x86_64/init/init --artifacts containerd=DIR --out DIR
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT))

from driver.cache import Cache  # noqa: E402
from driver.errors import TholeError, guard  # noqa: E402
from driver.progress import report  # noqa: E402
from rootfs import check, collect, generate, libraries, owners, pack, packages, sbom  # noqa: E402
from rootfs import profile as profiles  # noqa: E402
from rootfs.tree import Tree  # noqa: E402
from services import go_licences  # noqa: E402

ROOTFS = CHECKOUT / "rootfs"
INIT = "/usr/sbin/init"


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Compose a node's root file system.")
    parser.add_argument("--profile", required=True, help="files in rootfs/profiles/, with commas between")
    parser.add_argument(
        "--arch", default="amd64", choices=sorted(profiles.TRIPLETS), help="Debian architecture"
    )
    parser.add_argument("--init", required=True, type=Path, metavar="BINARY", help="the static init")
    parser.add_argument("--services", type=Path, default=CHECKOUT / "services", metavar="DIR")
    parser.add_argument("--profiles", type=Path, default=ROOTFS / "profiles", metavar="DIR")
    parser.add_argument("--skeleton", type=Path, default=ROOTFS / "skeleton", metavar="DIR")
    parser.add_argument(
        "--binary",
        action="append",
        default=[],
        metavar="DEST=PATH",
        help="install a built file; DEST ending in / takes a folder's files (or PATH with a pattern)",
    )
    parser.add_argument(
        "--artifacts",
        action="append",
        default=[],
        metavar="SERVICE=DIR",
        help="build folder of a service, installed by its services/SERVICE/install.ini",
    )
    parser.add_argument(
        "--firmware", type=Path, metavar="FOLDER", help="files for /usr/lib/firmware, laid out like that"
    )
    parser.add_argument("--out", required=True, type=Path, metavar="DIR")
    parser.add_argument("--name", default="root", help="of the files made there (default: %(default)s)")
    parser.add_argument("--depfile", type=Path, help="write what was read, for ninja")
    return parser.parse_args(argv)


def split(option: str, items: list[str]) -> list[tuple[str, str]]:
    """NAME=VALUE options."""
    wrong = [item for item in items if "=" not in item]
    if wrong:
        raise TholeError(f"{option} {wrong[0]} has no '='", f"write {option} NAME=VALUE")
    return [(name, value) for name, _, value in (item.partition("=") for item in items)]


class Composer:
    """The steps from a profile to a checked tree."""

    def __init__(self, options: argparse.Namespace, cache: Cache) -> None:
        self.options = options
        self.cache = cache
        self.profile = profiles.load(options.profile, options.profiles, options.arch)
        self.read: list[Path] = [*self.profile.files]
        self.unpacked = packages.unpack(self.profile, cache)

    def tree(self) -> tuple[Tree, set[str]]:
        """The whole tree, checked, and the paths of its stable part."""
        tree = Tree()
        packages.concatenate(self.unpacked, self.profile.concatenate)
        tree.update(self.unpacked.tree)
        self._add_binaries(tree)
        stable = {entry.path for entry in tree}
        self._add_rest(tree)
        libraries.take_needed(tree, self.unpacked.libraries, self.profile)
        libraries.write_cache(tree, self.profile)
        packages.add_copyright(self.unpacked, tree)
        self._add_licences(tree)
        check.check(tree, self.profile)
        return tree, stable | {entry.path for entry in tree if entry.origin.startswith("package ")}

    def _add_licences(self, tree: Tree) -> None:
        """The bill of materials, and the notices of Go's modules, which Debian's packages have apart."""
        profile, unpacked = self.profile, self.unpacked
        folders = [Path(folder) for _, folder in split("--artifacts", self.options.artifacts)]
        self.read += [path for folder in folders for path in folder.glob(f"*{go_licences.ENDING}")]
        licences = go_licences.read(folders)
        users = sbom.go_users(tree)
        facts = (profile.name, profile.architecture, unpacked.versions, unpacked.copyright)
        listed = sbom.document(tree, *facts, licences, users)
        tree.file(sbom.PLACE, listed, "composer")
        notices = go_licences.notices(licences, {module.name for module in users})
        if notices:
            tree.file(f"{packages.COPYRIGHT}-go", notices, "composer")

    def _add_binaries(self, tree: Tree) -> None:
        built = {name: Path(value) for name, value in split("--artifacts", self.options.artifacts)}
        collect.artifacts(tree, self.profile, self.options.services, built, self.read)
        if self.options.firmware:
            collect.read_folder(tree, self.options.firmware, "usr/lib/firmware", "firmware", self.read)
        for place, value in split("--binary", self.options.binary):
            collect.binary(tree, place, Path(value), f"--binary {Path(value).name}", self.read)

    def _add_rest(self, tree: Tree) -> None:
        collect.binary(tree, INIT, self.options.init, "init", self.read)
        generate.directories(tree, self.profile)
        generate.accounts(tree, self.profile)
        collect.read_folder(tree, self.options.skeleton, "", "skeleton", self.read)
        collect.services(tree, self.profile, self.options.services, self.read)
        generate.links(tree, self.profile)


def write(composer: Composer, tree: Tree, stable: set[str], out: Path, epoch: int) -> Path:
    """Write NAME.tar, .erofs, .manifest.json, .owners.txt and .spdx.json, each under its name only when it is whole."""
    out.mkdir(parents=True, exist_ok=True)
    name = composer.options.name
    kinds = ("tar", "erofs", "manifest.json", "owners.txt", "spdx.json")
    archive, image, manifest, owned, listed = (out / f"{name}.{kind}" for kind in kinds)
    parts = {path: path.with_name(f".{path.name}.part") for path in (archive, image, manifest, owned, listed)}
    try:
        report("root", 0, 0, f"writing {archive.name}")
        with open(parts[archive], "wb") as stream:
            pack.write_tar([pack.TOP, *tree], stream, epoch)
        pack.Erofs(composer.cache, epoch, composer.profile.compression).write(tree, stable, parts[image])
        facts = {"profile": composer.profile.name, "architecture": composer.profile.architecture}
        facts["packages"] = composer.unpacked.versions
        pack.write_manifest(tree, facts, image.name, parts[image], parts[manifest])
        parts[owned].write_text(owners.table(tree, composer.profile))
        parts[listed].write_bytes(tree.get(sbom.PLACE).content.read())
        for path, part in parts.items():
            os.replace(part, path)
    finally:
        for part in parts.values():
            part.unlink(missing_ok=True)
    return image


def depfile(path: Path, target: Path, read: list[Path]) -> None:
    """A Makefile-style dependency file: files, and folders whose time changes when something is added."""
    names = sorted({str(one).replace("$", "$$").replace(" ", "\\ ") for one in read})
    path.write_text(f"{target}: \\\n  " + " \\\n  ".join(names) + "\n")


def summary(tree: Tree, image: Path) -> str:
    """Sizes by origin, biggest first, for the log."""
    sizes: Counter[str] = Counter()
    for entry in tree:
        sizes[entry.origin] += entry.size
    lines = [f"{size:>12,}  {origin}" for origin, size in sizes.most_common() if size]
    total = (
        f"{sum(sizes.values()):>12,}  in {len(tree)} entries, {owners.executables(tree)} executables; "
        f"{image.name} {image.stat().st_size:,}"
    )
    return "\n".join([*lines, total])


def main() -> int:
    """Compose, check, write."""
    options = arguments()
    composer = Composer(options, Cache())
    tree, stable = composer.tree()
    image = write(composer, tree, stable, options.out, int(os.environ.get("SOURCE_DATE_EPOCH", "0")))
    if options.depfile:
        sources = [*composer.read, *sorted(ROOTFS.glob("*.py"))]
        depfile(options.depfile, image, sources)
    print(summary(tree, image))
    report("root", 1, 1, f"{image.stat().st_size >> 20} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(guard(main))
