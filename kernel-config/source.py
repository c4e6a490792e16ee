"""The kernel's source: Debian's package, unpacked once beside the build trees."""

from __future__ import annotations

import gzip
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from driver.apt import Apt
from driver.cache import Cache, manifest, remove_tree
from driver.errors import TholeError
from driver.progress import report

PACKAGE = "linux-source-6.12"
# Sources that no fragment can reach: the tree is a third smaller without them. Their Kconfig files have to stay.
_LEFT_OUT = (
    "*/Documentation/*/*",
    "*/arch/*/boot/dts/*.dts*",
    "*/drivers/gpu/drm/*/*.[ch]",
    "*/drivers/media/*.[ch]",
    "*/drivers/net/wireless/*.[ch]",
    "*/drivers/staging/*.[ch]",
    "*/sound/*.[ch]",
    "*/tools/testing/*",
    "*/tools/perf/*",
)


@dataclass(frozen=True)
class Package:
    """The downloaded source package: file, digest, version and the date of its last change."""

    deb: Path
    sha256: str

    @property
    def version(self) -> str:
        """Debian's version, from the file name."""
        return self.deb.name.split("_")[1]


def download(cache: Cache) -> Package:
    """Fetch Debian 13's source package, or take the one that is in the cache."""
    deb = Apt(cache=cache).download([PACKAGE])[PACKAGE]
    return Package(deb, manifest(deb.parent)[deb.name]["sha256"])


def workshop(cache: Cache, package: Package) -> Path:
    """Where this source is unpacked and built. It stays, so that an edited fragment recompiles only what it touches."""
    return cache.root / "kernel-work" / package.sha256[:16]


def unpack(cache: Cache, package: Package) -> Path:
    """The unpacked source tree, whole: the mark beside it is written last."""
    place = workshop(cache, package)
    tree = place / "source"
    if (place / "unpacked").exists():
        return tree
    report("kernel", 0, 0, "unpacking the source")
    remove_tree(place)
    tree.mkdir(parents=True)
    _extract(package.deb, place / "package", tree)
    (place / "unpacked").touch()
    return tree


def remove_other_versions(cache: Cache, package: Package) -> None:
    """Remove the trees of other versions: each takes gigabytes, and the newest is what will be built again."""
    place = workshop(cache, package)
    for other in place.parent.iterdir():
        if other != place:
            remove_tree(other)


def _extract(deb: Path, between: Path, tree: Path) -> None:
    """Unpack the tarball in a Debian package; keep the package's changelog beside the tree."""
    _run(["dpkg-deb", "--extract", str(deb), str(between)], deb)
    tarball = between / "usr/src" / f"{PACKAGE}.tar.xz"
    excludes = [f"--exclude={pattern}" for pattern in _LEFT_OUT]
    _run(["tar", "-xJf", str(tarball), "-C", str(tree), "--strip-components=1", *excludes], tarball)
    changelog = next((between / "usr/share/doc" / PACKAGE).glob("changelog*.gz"))
    (tree.parent / "changelog").write_bytes(gzip.decompress(changelog.read_bytes()))
    remove_tree(between)


def date(tree: Path) -> str:
    """The date of the package's last change: what the kernel says it was built at, wherever and whenever it is built."""
    changelog = (tree.parent / "changelog").read_text(errors="replace")
    match = re.search(r"^ -- .*>  (.+)$", changelog, re.MULTILINE)
    if not match:
        raise TholeError(f"the changelog of {PACKAGE} names no date", "report this: the package's form has changed")
    return match[1]


def _run(command: list[str], what: Path) -> None:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        reason = (result.stderr.strip().splitlines() or ["no message"])[-1]
        raise TholeError(f"{what.name} could not be unpacked by {command[0]}: {reason}", "check the disk's free space, then repeat")
