"""What the checkout and its build folders contribute: skeleton files, services' folders, binaries."""

from __future__ import annotations

import configparser
import os
import posixpath
from pathlib import Path

from driver.errors import TholeError
from rootfs.profile import Profile
from rootfs.tree import Tree

UNITS = "usr/lib/thole/units"
TEMPLATES = "usr/lib/thole/templates"
INSTALL = "install.ini"


def read_folder(tree: Tree, folder: Path, below: str, origin: str, read: list[Path]) -> None:
    """Copy a folder of the checkout into the tree; modes are 0755 for executables, else 0644."""
    if not folder.is_dir():
        return
    for directory, names, files in os.walk(folder):
        read.append(Path(directory))
        links = [name for name in names if os.path.islink(os.path.join(directory, name))]
        for name in sorted(files + links):
            path = Path(directory) / name
            place = posixpath.join(below, path.relative_to(folder).as_posix())
            if path.is_symlink():
                tree.link(place, os.readlink(path), origin)
            else:
                read.append(path)
                tree.file(place, path.read_bytes(), origin, mode_of(path))


def mode_of(path: Path) -> int:
    """Mode on the node of a file of the checkout or of a build folder."""
    return 0o755 if path.stat().st_mode & 0o111 else 0o644


def services(tree: Tree, profile: Profile, folder: Path, read: list[Path]) -> None:
    """Units, templates and plain files of the profile's services."""
    for name in profile.services:
        service = folder / name
        if not service.is_dir():
            raise TholeError(
                f"profile {profile.name} has the service {name}, but there is no {service}",
                f"add the folder, or take {name} off [services] in rootfs/profiles/",
            )
        origin = f"service {name}"
        for unit in sorted(service.glob("*.unit")):
            read.append(unit)
            tree.file(f"{UNITS}/{unit.name}", unit.read_bytes(), origin)
        read_folder(tree, service / "templates", TEMPLATES, origin, read)
        read_folder(tree, service / "root", "", origin, read)
        read.append(service)


def artifacts(tree: Tree, profile: Profile, folder: Path, built: dict[str, Path], read: list[Path]) -> None:
    """Built files of the services, placed as services/NAME/install.ini says."""
    unknown = sorted(set(built) - set(profile.services))
    if unknown:
        raise TholeError(
            f"--artifacts names {unknown[0]}, which profile {profile.name} does not have", "leave it out"
        )
    for name in profile.services:
        rules = folder / name / INSTALL
        if not rules.is_file():
            continue
        read.append(rules)
        if name not in built:
            raise TholeError(
                f"{rules} installs built files, but nobody said where they are", f"add --artifacts {name}=DIR"
            )
        parser = configparser.ConfigParser(delimiters=("=",), interpolation=None)
        parser.optionxform = str
        try:
            parser.read_string(rules.read_text(), str(rules))
        except configparser.Error as error:
            raise TholeError(str(error).replace("\n", " "), f"mend {rules}") from error
        unknown = sorted(set(parser.sections()) - {"files", "links"})
        if unknown:
            raise TholeError(f"{rules}: unknown section [{unknown[0]}]", "known are [files] and [links]")
        for place, source in parser.items("files") if parser.has_section("files") else ():
            binary(tree, place, built[name] / source, f"service {name}", read)
        for place, target in parser.items("links") if parser.has_section("links") else ():
            tree.link(place, target, f"service {name}")


def binary(tree: Tree, place: str, source: Path, origin: str, read: list[Path]) -> None:
    """Install a file; a place that ends in a slash takes a folder's files, or those that a pattern fits."""
    if not place.startswith("/"):
        raise TholeError(
            f"{place} of {origin} is no absolute path", "give the path on the node, with / in front"
        )
    if not place.endswith("/"):
        _install(tree, place, source, origin, read)
        return
    found = sorted(source.iterdir()) if source.is_dir() else sorted(source.parent.glob(source.name))
    files = [path for path in found if path.is_file() and not path.name.startswith(".")]
    if not files:
        raise TholeError(
            f"there are no files {source} to install in {place}", "build them first: ./thole build"
        )
    read.append(source if source.is_dir() else source.parent)
    for path in files:
        _install(tree, place + path.name, path, origin, read)


def _install(tree: Tree, place: str, source: Path, origin: str, read: list[Path]) -> None:
    if not source.is_file():
        raise TholeError(f"{source}, which goes to {place}, does not exist", "build it first: ./thole build")
    read.append(source)
    tree.file(place, source, origin, mode_of(source))
