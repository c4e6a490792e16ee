"""Checks of a composed root: nothing forbidden in it, nothing missing from it."""

from __future__ import annotations

import fnmatch
import posixpath

from driver.errors import TholeError
from rootfs.libraries import facts
from rootfs.profile import Profile
from rootfs.tree import DIRECTORY, FILE, LINK, VAR_SKELETON, Tree

_SHOWN = 8


def check(tree: Tree, profile: Profile) -> None:
    """Raise one error that names everything wrong with the tree."""
    problems = [*forbidden(tree, profile), *dangling(tree), *interpreters(tree), *required(tree)]
    if not problems:
        return
    more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    raise TholeError(
        f"the root of profile {profile.name} is not right: {'; '.join(problems[:_SHOWN])}{more}",
        "mend the profile in rootfs/profiles/ or the service's folder",
    )


def forbidden(tree: Tree, profile: Profile) -> list[str]:
    """Names that the profile does not allow, whatever their path."""
    found = []
    for entry in tree:
        allowed = any(fnmatch.fnmatchcase(entry.name, name) for name in profile.allowed)
        rules = [name for name in profile.forbidden if fnmatch.fnmatchcase(entry.name, name)]
        if rules and entry.kind != DIRECTORY and not allowed:
            found.append(f"/{entry.path} ({entry.origin}) is forbidden by '{rules[0]}'")
    return found


def dangling(tree: Tree) -> list[str]:
    """Links that lead nowhere."""
    found = []
    for entry in tree:
        if entry.kind == LINK and tree.resolve(_on_node(entry.path)) is None:
            found.append(f"/{entry.path} ({entry.origin}) leads to {entry.target}, which is not in the image")
    return found


def _on_node(path: str) -> str:
    """Where a path of the skeleton for /var is when the node runs."""
    return f"var/{path[len(VAR_SKELETON) + 1 :]}" if path.startswith(VAR_SKELETON + "/") else path


def interpreters(tree: Tree) -> list[str]:
    """Programs whose interpreter, by `#!` or in the ELF header, is missing."""
    found = []
    for entry in tree:
        if entry.kind != FILE:
            continue
        name = _interpreter(entry)
        resolved = tree.resolve(name) if name else None
        if name and (resolved is None or resolved.kind != FILE):
            found.append(f"/{entry.path} ({entry.origin}) is run by {name}, which is not in the image")
    return found


def _interpreter(entry) -> str:
    head = entry.content.read(0, 256)
    if head.startswith(b"#!"):
        words = head[2:].split(b"\n")[0].split()
        if not entry.mode & 0o111 or not words:
            return ""
        by_env = posixpath.basename(words[0]) == b"env" and len(words) > 1
        return f"usr/bin/{words[1].decode()}" if by_env else words[0].decode()
    known = facts(entry)
    return known.interpreter if known and entry.mode & 0o111 else ""


def required(tree: Tree) -> list[str]:
    """What a kernel and PID 1 cannot do without."""
    problems = [
        f"there is no directory /{name}"
        for name in ("proc", "sys", "dev", "run", "etc", "var")
        if name not in tree
    ]
    init = tree.resolve("sbin/init")
    if init is None or init.kind != FILE or not init.mode & 0o111:
        problems.append("/sbin/init is no executable file")
    elif (known := facts(init)) is None or known.interpreter or known.needed:
        problems.append(f"/sbin/init ({init.origin}) is no static executable")
    return problems
