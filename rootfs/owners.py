"""Who answers for each file of a root: a table for people, made from the tree and the profile's reasons."""

from __future__ import annotations

from collections import defaultdict

from driver.errors import TholeError
from rootfs.profile import Profile
from rootfs.tree import FILE, Entry, Tree

# Where files that no package brings come from, and why they are there.
_OURS = {
    "init": "PID 1, the command line and the node's own services",
    "firmware": "of devices, handed over to the build",
    "skeleton": "files of our own that every node has",
    "composer": "made of all the rest: the libraries' cache, licences, the list of parts",
}


def table(tree: Tree, profile: Profile) -> str:
    """An owner a section with its reason, then its files with their sizes; an executable has a star."""
    owned: dict[str, list[Entry]] = defaultdict(list)
    for entry in tree:
        if entry.kind == FILE:
            owned[entry.origin].append(entry)
    blocks = [
        f"{origin}: {sum(entry.size for entry in entries):,} bytes; {reason(origin, profile)}\n"
        + "".join(f"  {entry.size:>12,} {'*' if is_executable(entry) else ' '} /{entry.path}\n" for entry in entries)
        for origin, entries in sorted(owned.items(), key=lambda item: -sum(entry.size for entry in item[1]))
    ]
    return "\n".join(blocks)


def reason(origin: str, profile: Profile) -> str:
    """Why it is in the image; TholeError for an owner that nobody has given a reason."""
    kind, _, name = origin.partition(" ")
    if kind == "package":
        return " ".join(profile.packages[name].why.split())
    if kind in ("service", "artifacts", "profile"):
        return f"{kind} {name} of the profile {profile.name}"
    if kind in _OURS:
        return _OURS[kind]
    if kind == "--binary":
        return "named on the command line"
    raise TholeError(f"nobody says why the image has what comes from '{origin}'", "name it in rootfs/owners.py")


def is_executable(entry: Entry) -> bool:
    """A program that can be called by its path; shared libraries have no such mode in Debian."""
    return entry.kind == FILE and bool(entry.mode & 0o111) and ".so" not in entry.name


def executables(tree: Tree) -> int:
    """How many there are: what somebody who got in could call."""
    return sum(is_executable(entry) for entry in tree)
