"""Archives that the kernel unpacks as its initramfs: cpio's "newc" (kernel: Documentation/driver-api/early-userspace/buffer-format.rst).

The same files give the same bytes: times and numbers are not those of this machine.
"""

from __future__ import annotations

import shutil
import stat
from pathlib import Path
from typing import BinaryIO

_TRAILER = "TRAILER!!!"


def write(target: Path, files: dict[str, Path | bytes]) -> None:
    """Write one. `files`: path in it to a file of this machine or to its bytes; names that begin with `init` can be run."""
    folders = sorted({str(parent) for path in files for parent in Path(path).parents} - {"."})
    with target.open("wb") as stream:
        for number, folder in enumerate(folders, 1):
            _header(stream, folder, number, stat.S_IFDIR | 0o700, 0)
        for number, (path, source) in enumerate(sorted(files.items()), len(folders) + 1):
            size = source.stat().st_size if isinstance(source, Path) else len(source)
            mode = 0o755 if path == "init" else 0o600
            _header(stream, path, number, stat.S_IFREG | mode, size)
            if isinstance(source, Path):
                with source.open("rb") as contents:
                    shutil.copyfileobj(contents, stream, 1 << 20)
            else:
                stream.write(source)
            _pad(stream, size)
        _header(stream, _TRAILER, 0, 0, 0)


def _header(stream: BinaryIO, path: str, number: int, mode: int, size: int) -> None:
    name = path.encode() + b"\0"
    links = 2 if stat.S_ISDIR(mode) else 1
    fields = [number, mode, 0, 0, links, 0, size, 0, 0, 0, 0, len(name), 0]
    stream.write(b"070701" + b"".join(b"%08x" % field for field in fields) + name)
    _pad(stream, 110 + len(name))


def _pad(stream: BinaryIO, size: int) -> None:
    stream.write(b"\0" * (-size % 4))
