"""Shared libraries: takes what is needed, refuses what is missing, writes the loader's cache."""

from __future__ import annotations

import posixpath

from driver.errors import TholeError
from rootfs import elf, ldcache
from rootfs.profile import Profile
from rootfs.tree import FILE, LINK, Entry, Tree


def facts(entry: Entry) -> elf.Elf | None:
    """What an ELF file says of itself; None for any other file."""
    if entry.kind != FILE or entry.content.read(0, 4) != elf.MAGIC:
        return None
    try:
        return elf.parse(entry.content.read)
    except ValueError as error:
        raise TholeError(f"/{entry.path} of {entry.origin}: {error}", "build or fetch it again") from error


def take_needed(tree: Tree, available: Tree, profile: Profile) -> None:
    """Move from `available` into `tree` what its ELF files need, and what that needs.

    Missing ones name file and library; a library package that nothing needs is an error too.
    """
    pending = [(entry, found) for entry in tree if (found := facts(entry))]
    seen = {entry.path for entry, _ in pending}
    while pending:
        entry, found = pending.pop()
        _check_machine(entry, found, profile)
        for name in found.needed:
            library = _find(name, entry, found, tree, available, profile)
            if library.path not in seen:
                seen.add(library.path)
                pending.append((library, facts(library)))
    used = {entry.origin for entry in tree}
    idle = sorted({entry.origin for entry in available if entry.kind == FILE} - used)
    if idle:
        raise TholeError(
            f"nothing in the image needs {', '.join(idle)}", f"take it off [libraries] of {profile.name}"
        )


def _check_machine(entry: Entry, found: elf.Elf, profile: Profile) -> None:
    if found.machine != elf.MACHINES[profile.architecture]:
        raise TholeError(
            f"/{entry.path} of {entry.origin} is built for another machine (ELF machine {found.machine})",
            f"build it for {profile.architecture}",
        )


def _find(name: str, entry: Entry, found: elf.Elf, tree: Tree, available: Tree, profile: Profile) -> Entry:
    """The file that the loader would take; moved into the tree where it is only available."""
    for directory in _directories(entry, found, profile):
        path = f"{directory}/{name}"
        resolved = tree.resolve(path)
        if resolved and resolved.kind == FILE:
            return resolved
        if path in available:
            return _move(path, tree, available)
    raise TholeError(
        f"/{entry.path} ({entry.origin}) needs {name}, which is not in the image",
        f"add the package that has {name} to [libraries] of {profile.files[-1]}",
    )


def _directories(entry: Entry, found: elf.Elf, profile: Profile) -> list[str]:
    origin = "/" + posixpath.dirname(entry.path)
    own = [path.replace("$ORIGIN", origin).replace("${ORIGIN}", origin) for path in found.run_path]
    return [posixpath.normpath(path).lstrip("/") for path in own] + [profile.library_directory, "usr/lib"]


def _move(path: str, tree: Tree, available: Tree) -> Entry:
    """Take a library and the links that lead to it."""
    entry = available.get(path)
    tree.add(entry)
    if entry.kind != LINK:
        return entry
    target = posixpath.normpath(posixpath.join(posixpath.dirname(path), entry.target))
    if target not in available:
        raise TholeError(
            f"/{path} of {entry.origin} leads to {entry.target}, which is not there", "widen its `keep`"
        )
    return _move(target, tree, available)


def write_cache(tree: Tree, profile: Profile) -> None:
    """Put /etc/ld.so.cache in: every library of the default directories under its soname."""
    found = []
    for entry in tree:
        if posixpath.dirname(entry.path) not in (profile.library_directory, "usr/lib"):
            continue
        known = facts(entry)
        if known and known.soname:
            found.append(ldcache.Library(known.soname, f"/{posixpath.dirname(entry.path)}/{known.soname}"))
    for library in found:
        if tree.resolve(library.path) is None:
            raise TholeError(
                f"{library.path} is no path in the image, but a library is called so", "keep its link too"
            )
    if found:
        tree.file("etc/ld.so.cache", ldcache.build(found, profile.architecture), "composer")
