"""The part of the root that comes from Debian packages, unpacked once and kept in the cache."""

from __future__ import annotations

import hashlib
import json
import posixpath
from pathlib import Path
from typing import BinaryIO

from driver.apt import Apt
from driver.cache import Cache, digest
from driver.errors import TholeError
from driver.progress import report
from rootfs import deb
from rootfs.patterns import matches
from rootfs.profile import Package, Profile
from rootfs.tree import FILE, LINK, Content, Entry, Tree, normal

SUITE = "trixie"
# Raise it when the same packages and rules shall give another result.
_FORMAT = "1"
_INDEX, _CONTENTS = "index.json", "contents"
COPYRIGHT = "usr/share/thole/copyright"


class Unpacked:
    """What the packages of a profile contribute."""

    def __init__(self, versions: dict[str, str]) -> None:
        self.versions = versions
        self.tree = Tree()
        self.libraries = Tree()
        self.copyright: dict[str, Content] = {}


def unpack(profile: Profile, cache: Cache) -> Unpacked:
    """Fetch the profile's packages and take from them what its rules keep."""
    apt = Apt(SUITE, profile.architecture, cache)
    report("root", 0, 0, "fetching packages")
    files = apt.download(sorted(profile.packages))
    place = cache.entry("root-packages", _key(profile, files), lambda made: _make(profile, files, made))
    unpacked = Unpacked({name: _version(path) for name, path in files.items()})
    for item in json.loads((place / _INDEX).read_text()):
        _take(profile, unpacked, item, place / _CONTENTS)
    return unpacked


def _version(path: Path) -> str:
    """The version in a package's file name; apt writes the epoch's colon as %3a."""
    return path.name.split("_")[1].replace("%3a", ":")


def _key(profile: Profile, files: dict[str, Path]) -> str:
    parts = [_FORMAT]
    for name, path in sorted(files.items()):
        package = profile.packages[name]
        parts += [
            path.name,
            path.parent.name,
            " ".join(package.keep.patterns),
            " ".join(package.drop.patterns),
        ]
    return digest(*parts)


def _make(profile: Profile, files: dict[str, Path], made: Path) -> None:
    """Write the kept files' bytes into one file and what is known about them into an index."""
    index: list[dict] = []
    with open(made / _CONTENTS, "wb") as contents:
        for number, (name, path) in enumerate(sorted(files.items())):
            report("root", number, len(files), f"unpacking {name}")
            index += _items(profile.packages[name], path, contents)
    unused = [
        (package.name, pattern) for package in profile.packages.values() for pattern in package.keep.unused()
    ]
    if unused:
        name, pattern = unused[0]
        raise TholeError(
            f"package {name} ({_version(files[name])}) has no file {pattern}",
            f"mend `keep` of {name} in {profile.files[-1].parent}",
        )
    (made / _INDEX).write_text(json.dumps(index, indent=0) + "\n")


def _items(package: Package, path: Path, contents: BinaryIO) -> list[dict]:
    items = []
    for member in deb.members(path):
        name = normal(member.path, f"{package.name}:")
        is_copyright = name == f"usr/share/doc/{package.name}/copyright" and member.data is not None
        if not is_copyright and (not package.keep.match(name) or package.drop.match(name)):
            continue
        item = {"package": package.name, "path": name, "mode": member.mode, "target": member.target}
        if is_copyright:
            item["copyright"] = True
        if member.data is not None:
            item |= {
                "offset": contents.tell(),
                "size": len(member.data),
                "uid": member.uid,
                "gid": member.gid,
            }
            item["sha256"] = hashlib.sha256(member.data).hexdigest()
            contents.write(member.data)
        items.append(item)
    return items


def _take(profile: Profile, unpacked: Unpacked, item: dict, contents: Path) -> None:
    """Put one item of the index where it belongs."""
    package = item["package"]
    origin = f"package {package}"
    content = None
    if "sha256" in item:
        content = Content(item["size"], path=contents, offset=item["offset"], known_sha256=item["sha256"])
    if item.get("copyright"):
        unpacked.copyright[package] = content
        return
    entry = Entry(item["path"], LINK, 0o777, origin, target=item["target"])
    if content:
        entry = Entry(item["path"], FILE, item["mode"], origin, item["uid"], item["gid"], content)
    (unpacked.libraries if profile.packages[package].library else unpacked.tree).add(entry)


def concatenate(unpacked: Unpacked, rules: dict[str, str]) -> None:
    """Join files as the profile's [concatenate] says: the parts go, the joint file comes."""
    for path, pattern in rules.items():
        parts = [entry for entry in unpacked.tree if entry.kind == FILE and matches(pattern, entry.path)]
        if not parts:
            raise TholeError(
                f"no file of the packages is {pattern}, of which /{path} is to be made", "mend [concatenate]"
            )
        joined = b"".join(entry.content.read().rstrip(b"\n") + b"\n" for entry in parts)
        for entry in parts:
            unpacked.tree.remove(entry.path)
        _remove_empty(unpacked.tree, {posixpath.dirname(entry.path) for entry in parts})
        unpacked.tree.file(path, joined, parts[0].origin)


def _remove_empty(tree: Tree, directories: set[str]) -> None:
    """Take out directories, and those above them, that hold nothing any more."""
    for directory in directories:
        while directory and not any(entry.path.startswith(directory + "/") for entry in tree):
            tree.remove(directory)
            directory = posixpath.dirname(directory)


def add_copyright(unpacked: Unpacked, tree: Tree) -> None:
    """One file with the copyright notices of all packages in the image: their licences ask for it."""
    present = {entry.origin.removeprefix("package ") for entry in tree if entry.origin.startswith("package ")}
    parts = []
    for package in sorted(present):
        notice = unpacked.copyright.get(package)
        if notice:
            parts.append(f"==== {package} {unpacked.versions[package]}\n".encode() + notice.read())
    if parts:
        tree.file(COPYRIGHT, b"\n".join(parts), "composer")
