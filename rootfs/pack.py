"""Writes a tree as a tar archive, as an erofs image, and as a manifest."""

from __future__ import annotations

import contextlib
import json
import os
import posixpath
import shutil
import subprocess
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from driver import host_tools
from driver.cache import Cache, digest, file_sha256
from driver.errors import TholeError
from driver.progress import report
from rootfs.tree import DIRECTORY, FILE, LINK, Entry, Tree

UUID = "7468c3a1-0000-4000-8000-000000000001"
CLUSTER = "-C65536"  # bytes that are compressed together; measured in rootfs/README.md
_FORMAT = "1"
TOP = Entry(".", DIRECTORY, 0o755, "composer")
_TYPES = {FILE: tarfile.REGTYPE, DIRECTORY: tarfile.DIRTYPE, LINK: tarfile.SYMTYPE}
_BLOCK = tarfile.BLOCKSIZE


def write_tar(entries: Iterable[Entry], stream: BinaryIO, epoch: int) -> None:
    """A tar archive with numeric owners and one time for all, its members in the order given."""
    for entry in entries:
        info = tarfile.TarInfo(entry.path)
        info.type, info.mode, info.uid, info.gid = _TYPES[entry.kind], entry.mode, entry.uid, entry.gid
        info.mtime, info.size, info.linkname = epoch, entry.size, entry.target
        stream.write(info.tobuf(tarfile.GNU_FORMAT, "utf-8"))
        if entry.content:
            entry.content.copy_to(stream)
            stream.write(bytes(-entry.size % _BLOCK))
    stream.write(bytes(2 * _BLOCK))


class Erofs:
    """Makes images in two steps.

    The stable part (packages, big binaries) is compressed once and kept in the cache; the rest (init, units,
    skeleton) is added to a copy of it. Both always happen, so the result does not depend on the cache.
    """

    def __init__(self, cache: Cache, epoch: int, compression: str, workers: int = os.cpu_count() or 1) -> None:
        self.cache = cache
        self.epoch = epoch
        self.workers = f"--workers={workers}"
        *loader, program = host_tools.tool("mkfs.erofs")
        self.command = [*loader, program, "--quiet", "-d1", f"-z{compression}", CLUSTER, "-x-1", f"-T{epoch}"]
        self.command += ["--all-time", "-U", UUID]
        # Of the same package; asking for it by name would ask apt once more.
        self.verify = [*loader, str(Path(program).with_name("fsck.erofs")), "--extract"]

    def write(self, tree: Tree, stable: set[str], image: Path) -> None:
        """Write the image of a tree; `stable` are the paths of its part that changes seldom."""
        settled = with_parents(tree, stable)
        rest = with_parents(tree, set(tree.entries) - stable)
        facts = "".join(
            f"{one.path} {one.kind} {one.mode:o} {one.uid} {one.gid} {_identity(one)}\n" for one in settled
        )
        key = digest(_FORMAT, " ".join(self.command), facts)
        base = self.cache.entry("root-base", key, lambda made: self._make_base(settled, made / "base.erofs"))
        shutil.copyfile(base / "base.erofs", image)
        report("root", 0, 0, "adding init, services and skeleton to the image")
        self._run(["--incremental=data", "--tar=f", str(image)], rest)
        self._verify(image)

    def _make_base(self, stable: list[Entry], image: Path) -> None:
        report(
            "root", 0, 0, f"compressing {sum(one.size for one in stable) >> 20} MiB of packages and binaries"
        )
        self._run(["--tar=f", str(image)], stable)

    def _run(self, arguments: list[str], entries: list[Entry]) -> None:
        command = [*self.command, self.workers, *arguments]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process:
            # When mkfs.erofs ends early, what it says counts, not that the pipe broke.
            with contextlib.suppress(BrokenPipeError):
                write_tar(entries, process.stdin, self.epoch)
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
            output = process.stdout.read().decode(errors="replace").strip()
        if process.returncode != 0:
            reason = output.splitlines()[-1] if output else f"it ended with {process.returncode}"
            raise TholeError(
                f"mkfs.erofs made no {arguments[-1]}: {reason}", "is the disk full? Else see the log above"
            )

    def _verify(self, image: Path) -> None:
        """Read every file of the image once: mkfs.erofs calls its incremental mode experimental."""
        result = subprocess.run([*self.verify, str(image)], capture_output=True, text=True, check=False)
        if result.returncode != 0:
            reason = (result.stderr or result.stdout).strip().splitlines()[-1:] or ["no message"]
            raise TholeError(
                f"the new image {image} does not read back: {reason[0]}", "./thole clean --cache, then repeat"
            )


def with_parents(tree: Tree, paths: set[str]) -> list[Entry]:
    """The entries at these paths and all directories above them, the top first.

    For mkfs.erofs a directory that an archive implies without naming it has mode 0777.
    """
    wanted = set(paths)
    for path in paths:
        while path := posixpath.dirname(path):
            wanted.add(path)
    return [TOP, *(entry for entry in tree if entry.path in wanted)]


def _identity(entry: Entry) -> str:
    return entry.content.sha256 if entry.content else entry.target


def write_manifest(tree: Tree, facts: dict, name: str, image: Path, path: Path) -> None:
    """What is in the image and where it came from."""
    files = []
    for entry in tree:
        item: dict[str, object] = {"path": f"/{entry.path}", "kind": entry.kind, "mode": f"{entry.mode:04o}"}
        item |= {"uid": entry.uid, "gid": entry.gid, "origin": entry.origin}
        if entry.kind == FILE:
            item |= {"size": entry.size, "sha256": entry.content.sha256}
        elif entry.kind == LINK:
            item["target"] = entry.target
        files.append(item)
    described = {"name": name, "size": image.stat().st_size, "sha256": file_sha256(image)}
    path.write_text(json.dumps({**facts, "image": described, "files": files}, indent=1) + "\n")
