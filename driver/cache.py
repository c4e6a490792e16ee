"""The content-addressed cache: directories that are made once, whole or not at all.

An entry is a directory `<root>/<kind>/<first 16 digits of the key>`. It is made beside its place, synced, and
renamed, so neither Ctrl-C nor a full disk nor a power cut leaves a half one. Its manifest, written last,
lists names, sizes and SHA-256; an entry whose files do not have these names and sizes is thrown away and made
again.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

MANIFEST = ".manifest.json"
_SKIPPED = {"__pycache__", ".git", ".pytest_cache"}
_HEX = set("0123456789abcdef")


def default_root() -> Path:
    """$XDG_CACHE_HOME/thole, else ~/.cache/thole."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base) / "thole"


def digest(*parts: str | bytes | Path) -> str:
    """SHA-256 of strings, bytes, and the contents of files and directory trees, as hex digits.

    A Path stands for what it contains, not for where it is: the same tree elsewhere has the same digest.
    """
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            piece = _digest_path(part)
        elif isinstance(part, bytes):
            piece = b"b" + hashlib.sha256(part).digest()
        else:
            piece = b"s" + hashlib.sha256(part.encode()).digest()
        total.update(piece)
    return total.hexdigest()


def _digest_path(path: Path) -> bytes:
    """What digest() takes in for a file, a link or a tree: type, executable bit, names and contents."""
    info = path.lstat()
    if stat.S_ISLNK(info.st_mode):
        return b"l" + hashlib.sha256(os.readlink(path).encode()).digest()
    if stat.S_ISDIR(info.st_mode):
        tree = hashlib.sha256()
        for name in sorted(os.listdir(path)):
            if name in _SKIPPED or name.endswith(".pyc"):
                continue
            tree.update(hashlib.sha256(name.encode()).digest() + _digest_path(path / name))
        return b"d" + tree.digest()
    executable = b"x" if info.st_mode & 0o111 else b"-"
    return b"f" + executable + bytes.fromhex(file_sha256(path))


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's contents."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class Cache:
    """The cache below one root directory."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or default_root()

    def place(self, kind: str, key: str) -> Path:
        """Where the entry is, or would be. A key that is no digest is digested first."""
        short = key[:16] if len(key) >= 16 and set(key) <= _HEX else digest(key)[:16]
        return self.root / kind / short

    def entry(self, kind: str, key: str, make: Callable[[Path], None], *, listed: bool = True) -> Path:
        """The directory for `key`; made by `make(temporary directory)` where it is not there yet.

        `listed=False` leaves the files out of the manifest: for trees of ten thousands of files, where
        checking each would cost more than it gives.
        """
        place = self.place(kind, key)
        if _whole(place):
            return place
        with self.lock(f"{kind}-{place.name}"):
            if _whole(place):  # another process made it while this one waited
                return place
            _remove(place)
            temporary = place.with_name(f".{place.name}.tmp")
            _remove(temporary)
            temporary.mkdir(parents=True)
            try:
                make(temporary)
                _write_manifest(temporary, key, listed)
                _sync_tree(temporary)
                os.rename(temporary, place)
                _sync(place.parent)
            except BaseException:
                _remove(temporary)
                raise
        return place

    def has(self, kind: str, key: str) -> bool:
        """Whether the entry is there and whole."""
        return _whole(self.place(kind, key))

    def forget(self, kind: str, key: str) -> None:
        """Remove one entry."""
        place = self.place(kind, key)
        with self.lock(f"{kind}-{place.name}"):
            _remove(place)

    @contextlib.contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Hold the lock `name` among all processes that use this cache."""
        directory = self.root / "locks"
        directory.mkdir(parents=True, exist_ok=True)
        with open(directory / name, "w") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield


def _files(directory: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Relative name and lstat of each thing below `directory` that is no directory, manifest excepted."""
    pending = [""]
    while pending:
        below = pending.pop()
        with os.scandir(directory / below) as found:
            for item in found:
                name = f"{below}/{item.name}" if below else item.name
                if item.is_dir(follow_symlinks=False):
                    pending.append(name)
                elif name != MANIFEST:
                    yield name, item.stat(follow_symlinks=False)


def _write_manifest(directory: Path, key: str, listed: bool) -> None:
    files = {}
    for name, info in sorted(_files(directory)) if listed else ():
        entry: dict[str, object] = {"size": info.st_size}
        if stat.S_ISREG(info.st_mode):
            entry["sha256"] = file_sha256(directory / name)
        files[name] = entry
    manifest = {"key": key, "listed": listed, "files": files}
    (directory / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")


def manifest(place: Path) -> dict[str, dict]:
    """The manifest's files of an entry: name to size and sha256."""
    return json.loads((place / MANIFEST).read_text())["files"]


def _whole(place: Path) -> bool:
    """Whether an entry is there with every file its manifest names, each of the size it had."""
    try:
        content = json.loads((place / MANIFEST).read_text())
        if not content["listed"]:
            return True
        here = {name: info.st_size for name, info in _files(place)}
        return here == {name: item["size"] for name, item in content["files"].items()}
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _remove(path: Path) -> None:
    """Remove a tree, also one with directories that are not writable (Go's module cache has them)."""
    if path.is_symlink() or path.is_file():
        path.unlink()
        return
    if not path.exists():
        return

    def unlock(function: Callable, name: str, _info: object) -> None:
        os.chmod(os.path.dirname(name), 0o700)
        os.chmod(name, 0o700) if not os.path.islink(name) else None
        function(name)

    if sys.version_info >= (3, 12):
        shutil.rmtree(path, onexc=unlock)
    else:
        shutil.rmtree(path, onerror=unlock)


remove_tree = _remove


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sync_tree(directory: Path) -> None:
    """Put a tree on the disk: syncfs in one call, as Python has it; else file by file."""
    import ctypes

    handle = os.open(directory, os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(handle) == 0:
            return
    finally:
        os.close(handle)
    for name, info in _files(directory):
        if stat.S_ISREG(info.st_mode):
            _sync(directory / name)
