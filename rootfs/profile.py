"""Profiles: ini files that say which packages, files, services and accounts a root file system is made of."""

from __future__ import annotations

import configparser
import difflib
from dataclasses import dataclass, field
from pathlib import Path

from driver.errors import TholeError
from rootfs.patterns import Patterns

TRIPLETS = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}
# Measured in rootfs/README.md.
USUAL_COMPRESSION = "lz4hc,level=6"
_ALGORITHMS = ("lz4hc", "zstd")  # that the kernel reads
_SECTIONS = {
    "profile": {"description", "extends"},
    "image": {"compression"},
    "services": {"names"},
    "forbidden": {"names", "allowed"},
    "concatenate": None,
    "libraries": None,
    "directories": None,
    "links": None,
    "alternatives": None,
    "accounts": None,
    "groups": None,
}
_PACKAGE_KEYS = {"why", "keep", "drop"}


@dataclass
class Package:
    """A Debian package and the rules for its paths: `keep` lets in, `drop` takes out again.

    Of a `library` package only what something else in the image needs is taken.
    """

    name: str
    why: str
    keep: Patterns
    drop: Patterns
    library: bool = False


@dataclass
class Account:
    """A line of passwd."""

    name: str
    uid: int
    gid: int
    home: str
    comment: str


@dataclass
class Directory:
    """A directory that exists on the node from the start."""

    path: str
    mode: int
    owner: str
    group: str


@dataclass
class Profile:
    """A profile with everything it extends merged in."""

    name: str
    architecture: str
    packages: dict[str, Package] = field(default_factory=dict)
    services: list[str] = field(default_factory=list)
    accounts: dict[str, Account] = field(default_factory=dict)
    groups: dict[str, int] = field(default_factory=dict)
    directories: dict[str, Directory] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    alternatives: dict[str, str] = field(default_factory=dict)
    concatenate: dict[str, str] = field(default_factory=dict)
    forbidden: list[str] = field(default_factory=list)
    allowed: list[str] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    compression: str = USUAL_COMPRESSION  # as mkfs.erofs -z takes it

    @property
    def library_directory(self) -> str:
        """Where Debian keeps this architecture's shared libraries, without a slash in front."""
        return f"usr/lib/{TRIPLETS[self.architecture]}"


def load(name: str, folder: Path, architecture: str = "amd64") -> Profile:
    """Read profiles/NAME.ini and what it extends; NAME,NAME is one root file system for several purposes."""
    if architecture not in TRIPLETS:
        raise TholeError(f"there is no architecture {architecture}", f"use one of {', '.join(TRIPLETS)}")
    profile = Profile(name, architecture)
    for one in name.split(","):
        _read(one, folder, profile, [])
    return profile


def _read(name: str, folder: Path, profile: Profile, above: list[str]) -> None:
    path = folder / f"{name}.ini"
    if name in above:
        raise TholeError(
            f"profiles extend each other in a circle: {' -> '.join([*above, name])}", f"mend {path}"
        )
    if not path.is_file():
        raise TholeError(f"there is no profile {name} ({path})", f"use one of {', '.join(_names(folder))}")
    if path in profile.files:
        return  # another of the profiles extends it too
    # Keys are paths and package names: case counts, and the colon is no delimiter.
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None, empty_lines_in_values=False)
    parser.optionxform = str
    try:
        parser.read_string(path.read_text(), str(path))
    except configparser.Error as error:
        raise TholeError(str(error).replace("\n", " "), f"mend {path}") from error
    parent = parser.get("profile", "extends", fallback="")
    if parent:
        _read(parent, folder, profile, [*above, name])
    profile.files.append(path)
    for section in parser.sections():
        _section(profile, path, section, dict(parser.items(section)))


def _names(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.ini"))


def _section(profile: Profile, path: Path, section: str, items: dict[str, str]) -> None:
    kind, _, package = section.partition(" ")
    known = _PACKAGE_KEYS if kind == "package" and package else _SECTIONS.get(section, set())
    if known is not None:
        _check_keys(path, section, items, known)
    if kind == "package":
        profile.packages[package] = _package(profile, path, package, items)
    elif section == "libraries":
        for name, why in items.items():
            profile.packages[name] = _package(profile, path, name, {"why": why, "keep": "{lib}/*.so.*"}, True)
    elif section == "image":
        profile.compression = _compression(path, items["compression"])
    elif section == "services":
        profile.services += [name for name in items["names"].split() if name not in profile.services]
    elif section == "forbidden":
        profile.forbidden += items.get("names", "").split()
        profile.allowed += items.get("allowed", "").split()
    elif section == "accounts":
        profile.accounts.update({name: _account(path, name, value) for name, value in items.items()})
    elif section == "groups":
        profile.groups.update({name: _number(path, name, value) for name, value in items.items()})
    elif section == "directories":
        profile.directories.update({name: _directory(path, name, value) for name, value in items.items()})
    elif section != "profile":
        getattr(profile, section).update(
            {_expand(profile, key): _expand(profile, value) for key, value in items.items()}
        )


def _check_keys(path: Path, section: str, items: dict[str, str], known: set[str]) -> None:
    if section not in _SECTIONS and not section.startswith("package "):
        near = difflib.get_close_matches(section, [*_SECTIONS, "package NAME"], 1)
        raise TholeError(
            f"{path}: unknown section [{section}]", f"did you mean [{near[0]}]?" if near else "remove it"
        )
    for key in items:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            remedy = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(known))}"
            raise TholeError(f"{path}: [{section}] has an unknown key {key}", remedy)


def _expand(profile: Profile, text: str) -> str:
    return text.replace("{lib}", profile.library_directory)


def _package(
    profile: Profile, path: Path, name: str, items: dict[str, str], library: bool = False
) -> Package:
    keep = _expand(profile, items.get("keep", "")).split()
    if not keep or not items.get("why"):
        raise TholeError(
            f"{path}: package {name} needs 'why' and 'keep'", "say what it is for and which paths stay"
        )
    drop = _expand(profile, items.get("drop", "")).split()
    return Package(name, items["why"], Patterns(keep), Patterns(drop), library)


def _compression(path: Path, value: str) -> str:
    if value.partition(",")[0] not in _ALGORITHMS:
        raise TholeError(f"{path}: compression = {value}", f"use one of {', '.join(_ALGORITHMS)}, as lz4hc,level=6")
    return value


def _number(path: Path, name: str, value: str) -> int:
    if not value.isdigit():
        raise TholeError(f"{path}: {name} = {value} is no number", "give a numeric id")
    return int(value)


def _account(path: Path, name: str, value: str) -> Account:
    fields = value.split(None, 3)
    if len(fields) != 4:
        raise TholeError(f"{path}: account {name} = {value}", "write it as: NAME = UID GID HOME COMMENT")
    return Account(name, _number(path, name, fields[0]), _number(path, name, fields[1]), fields[2], fields[3])


def _directory(path: Path, name: str, value: str) -> Directory:
    fields = value.split()
    try:
        mode = int(fields[0], 8)
        owner, group = fields[1].split(":") if len(fields) > 1 else ("root", "root")
    except (ValueError, IndexError) as error:
        raise TholeError(
            f"{path}: directory {name} = {value}", "write it as: PATH = MODE [OWNER:GROUP]"
        ) from error
    return Directory(name, mode, owner, group)
