"""The root file system as data: paths with kind, mode, owner and contents, before anything is written.

Nothing here touches owners or modes of real files, so composing needs no root, no user namespace and no
scratch tree.
"""

from __future__ import annotations

import functools
import hashlib
import posixpath
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from driver.errors import TholeError

FILE, DIRECTORY, LINK = "file", "directory", "link"
MERGED = ("bin", "sbin", "lib", "lib64")
# Places that the node fills while it runs: what a link names below them cannot be looked up in the image.
RUNTIME = ("proc", "sys", "dev", "run", "tmp")
VAR_SKELETON = "usr/share/thole/var"
_LINK_LIMIT = 40
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Content:
    """The bytes of a file: in memory, or a slice of a file on the disk."""

    size: int
    data: bytes | None = None
    path: Path | None = None
    offset: int = 0
    known_sha256: str = ""

    @staticmethod
    def of(source: bytes | str | Path) -> Content:
        """Contents from bytes, text, or a whole file."""
        if isinstance(source, Path):
            return Content(source.stat().st_size, path=source)
        data = source.encode() if isinstance(source, str) else source
        return Content(len(data), data=data)

    def read(self, offset: int = 0, size: int | None = None) -> bytes:
        """`size` bytes from `offset` on, or as many as there are."""
        end = self.size if size is None else min(offset + size, self.size)
        if self.data is not None:
            return self.data[offset:end]
        with open(self.path, "rb") as stream:
            stream.seek(self.offset + offset)
            return stream.read(max(0, end - offset))

    def chunks(self) -> Iterator[bytes]:
        """All bytes, a piece at a time. A file that became shorter meanwhile is an error."""
        if self.data is not None:
            yield self.data
            return
        left = self.size
        with open(self.path, "rb") as stream:
            stream.seek(self.offset)
            while left:
                piece = stream.read(min(left, _CHUNK))
                if not piece:
                    raise TholeError(f"{self.path} became shorter while it was read", "repeat the build")
                left -= len(piece)
                yield piece

    def copy_to(self, stream: BinaryIO) -> None:
        """Append all bytes to a stream."""
        if self.data is None and self.offset == 0 and self.path.stat().st_size == self.size:
            with open(self.path, "rb") as source:
                shutil.copyfileobj(source, stream, _CHUNK)
            return
        for piece in self.chunks():
            stream.write(piece)

    @functools.cached_property
    def sha256(self) -> str:
        """SHA-256 as hex digits."""
        if self.known_sha256:
            return self.known_sha256
        total = hashlib.sha256()
        for piece in self.chunks():
            total.update(piece)
        return total.hexdigest()


@dataclass(frozen=True)
class Entry:
    """One path of the root; `path` has no slash in front, `origin` says where it came from."""

    path: str
    kind: str
    mode: int
    origin: str
    uid: int = 0
    gid: int = 0
    content: Content | None = None
    target: str = ""

    @property
    def name(self) -> str:
        """The last component."""
        return posixpath.basename(self.path)

    @property
    def size(self) -> int:
        """Bytes of a file; 0 for anything else."""
        return self.content.size if self.content else 0


def normal(path: str, what: str = "path") -> str:
    """A path as the tree names it: no slash in front, no dots, bin/ and lib/ below usr/."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise TholeError(f"{what} {path} climbs out with '..'", "give the path as it is on the node")
    if parts and parts[0] in MERGED and len(parts) > 1:
        parts.insert(0, "usr")
    return "/".join(parts)


class Tree:
    """All entries by path. Parents appear by themselves; two origins of one path are an error."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self._implied: set[str] = set()

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries[path] for path in sorted(self.entries))

    def __len__(self) -> int:
        return len(self.entries)

    def __contains__(self, path: str) -> bool:
        return path in self.entries

    def get(self, path: str) -> Entry | None:
        """The entry at a path, links not followed."""
        return self.entries.get(path)

    def add(self, entry: Entry) -> None:
        """Put an entry in; /var goes into the skeleton from which init fills a new data disk."""
        entry = replace(entry, path=_placed(normal(entry.path)))
        existing = self.entries.get(entry.path)
        if existing and not self._may_replace(existing, entry):
            raise TholeError(
                f"/{entry.path} comes from {existing.origin} and from {entry.origin}",
                "drop it from one of them (rootfs/profiles/, services/NAME/)",
            )
        self._add_parents(entry)
        self.entries[entry.path] = entry
        self._implied.discard(entry.path)

    def _may_replace(self, existing: Entry, entry: Entry) -> bool:
        """Directories merge; the same link or file twice is no conflict."""
        if existing.kind != entry.kind:
            return False
        if entry.kind == DIRECTORY:
            same = (existing.mode, existing.uid, existing.gid) == (entry.mode, entry.uid, entry.gid)
            return same or entry.path in self._implied
        if entry.kind == LINK:
            return existing.target == entry.target
        return existing.mode == entry.mode and existing.content.sha256 == entry.content.sha256

    def _add_parents(self, entry: Entry) -> None:
        parent = posixpath.dirname(entry.path)
        while parent:
            existing = self.entries.get(parent)
            if existing and existing.kind != DIRECTORY:
                raise TholeError(
                    f"/{entry.path} of {entry.origin} lies below /{parent},"
                    f" which is a {existing.kind} from {existing.origin}",
                    "give the path that the link leads to",
                )
            if existing:
                return
            self.entries[parent] = Entry(parent, DIRECTORY, 0o755, entry.origin)
            self._implied.add(parent)
            parent = posixpath.dirname(parent)

    def file(
        self, path: str, source: bytes | str | Path | Content, origin: str, mode: int = 0o644, **owner: int
    ) -> None:
        """Add a file."""
        content = source if isinstance(source, Content) else Content.of(source)
        self.add(Entry(path, FILE, mode, origin, content=content, **owner))

    def link(self, path: str, target: str, origin: str) -> None:
        """Add a symbolic link."""
        self.add(Entry(path, LINK, 0o777, origin, target=target))

    def directory(self, path: str, origin: str, mode: int = 0o755, **owner: int) -> None:
        """Add a directory."""
        self.add(Entry(path, DIRECTORY, mode, origin, **owner))

    def remove(self, path: str) -> None:
        """Take an entry out."""
        del self.entries[path]

    def update(self, other: Tree) -> None:
        """Add all entries of another tree."""
        for entry in other:
            if entry.path not in other._implied:
                self.add(entry)

    def resolve(self, path: str) -> Entry | None:
        """The entry that a path on the node leads to, links followed; None where there is none.

        Paths below /proc, /run and the like count as a directory: they exist only on a running node.
        """
        pending = [part for part in path.split("/") if part not in ("", ".")]
        done: list[str] = []
        links = 0
        while pending:
            part = pending.pop(0)
            if part == "..":
                done = done[:-1]
                continue
            if not done and part in RUNTIME:
                return Entry(part, DIRECTORY, 0o755, "the running node")
            if not done and part == "var":
                done = VAR_SKELETON.split("/")
                continue
            here = "/".join([*done, part])
            entry = self.entries.get(here)
            if entry is None:
                return None
            if entry.kind != LINK:
                if pending and entry.kind != DIRECTORY:
                    return None
                done.append(part)
                continue
            links += 1
            if links > _LINK_LIMIT:
                return None
            if entry.target.startswith("/"):
                done = []
            pending = [step for step in entry.target.split("/") if step not in ("", ".")] + pending
        return self.entries.get("/".join(done)) if done else Entry("", DIRECTORY, 0o755, "the root")


def _placed(path: str) -> str:
    """/var is a data disk on the node; what belongs there is kept where init finds it."""
    if path == "var" or not path.startswith("var/"):
        return path
    return f"{VAR_SKELETON}/{path[4:]}"
