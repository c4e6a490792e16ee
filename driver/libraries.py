"""Sources of the libraries in the node's binaries: Debian source packages, unpacked below subprojects/.

Of each only the files named here are taken; the meson.build laid over them is ours (subprojects/packagefiles/NAME). The
library is built again for musl from them.
"""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path
from typing import NamedTuple

from driver.apt import Apt
from driver.cache import Cache, digest, remove_tree
from driver.errors import TholeError
from driver.host_tools import unpack

CHECKOUT = Path(__file__).resolve().parent.parent
SUBPROJECTS = CHECKOUT / "subprojects"
_STAMP = ".thole-source"


class Library(NamedTuple):
    """A library: its Debian source package and the files we build, by their names in the upstream tree.

    `package` names a binary package with the static library for glibc, `archive` its file: the way out where a mirror
    does not keep the sources. `headers` are then taken from it.
    """

    source: str
    files: tuple[str, ...]
    package: str = ""
    archive: str = ""
    headers: tuple[str, ...] = ()


LIBRARIES = {
    "inih": Library("libinih", ("ini.c", "ini.h", "LICENSE.txt")),
    "libmnl": Library(
        "libmnl",
        ("src/attr.c", "src/callback.c", "src/internal.h", "src/nlmsg.c", "src/socket.c", "include/libmnl/libmnl.h", "COPYING"),
        package="libmnl-dev",
        archive="libmnl.a",
        headers=("include/libmnl/libmnl.h",),
    ),
}
_TRIPLETS = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}


def prepare() -> None:
    """Bring the sources of all libraries below subprojects/; nothing happens where they are there already."""
    for name, library in LIBRARIES.items():
        overlay = SUBPROJECTS / "packagefiles" / name
        key = digest("1", repr(library), overlay)
        place = SUBPROJECTS / name
        stamp = place / _STAMP
        if stamp.exists() and stamp.read_text() == key:
            continue
        source = Cache().entry("libraries", digest("1", repr(library)), lambda made, wanted=library: _fetch(wanted, made))
        temporary = SUBPROJECTS / f".{name}.tmp"
        remove_tree(temporary)
        shutil.copytree(source, temporary, ignore=shutil.ignore_patterns(".manifest.json"))
        shutil.copytree(overlay, temporary, dirs_exist_ok=True)
        (temporary / _STAMP).write_text(key)
        remove_tree(place)
        temporary.rename(place)


def _fetch(library: Library, directory: Path) -> None:
    """Put the wanted files of a library into a directory."""
    apt = Apt()
    try:
        files = apt.source([library.source])[library.source]
    except TholeError as error:
        if not library.package:
            raise
        print(f"note: {error.what}; taking the static library of {library.package} instead", flush=True)
        _fetch_archive(library, directory)
        return
    tarball = next(path for path in files if ".orig.tar." in path.name and not path.name.endswith(".asc"))
    _unpack_files(tarball, library.files, directory)


def _unpack_files(tarball: Path, wanted: tuple[str, ...], directory: Path) -> None:
    """Unpack the wanted files of an upstream tarball without its top folder."""
    with tarfile.open(tarball) as archive:
        members = {name.partition("/")[2]: name for name in archive.getnames()}
        missing = [name for name in wanted if name not in members]
        if missing:
            raise TholeError(f"{tarball.name} has no {', '.join(missing)}", "adapt LIBRARIES in driver/libraries.py")
        for name in wanted:
            stream = archive.extractfile(members[name])
            if stream is None:
                raise TholeError(f"{name} in {tarball.name} is no file", "adapt LIBRARIES in driver/libraries.py")
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / name).write_bytes(stream.read())


def _fetch_archive(library: Library, directory: Path) -> None:
    """Take headers and the static libraries for both architectures from the binary package."""
    for arch, triplet in _TRIPLETS.items():
        package = Apt(arch=arch).download([library.package])[library.package]
        unpacked = directory / ".unpacked"
        unpack(package, unpacked)
        target = directory / "prebuilt" / triplet.partition("-")[0]
        target.mkdir(parents=True)
        shutil.copy(unpacked / "usr" / "lib" / triplet / library.archive, target / library.archive)
        for name in library.headers:
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(unpacked / "usr" / name, directory / name)
        shutil.copy(unpacked / "usr" / "share" / "doc" / library.package / "copyright", directory / "COPYING")
        remove_tree(unpacked)
