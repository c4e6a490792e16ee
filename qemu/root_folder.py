"""A root file system as a folder of this machine, which the guest mounts by virtio-9p."""

from __future__ import annotations

import os
import shutil
import tarfile
from pathlib import Path

from driver.errors import TholeError

TAG = "thole-root"
# Kernel arguments in place of those for a disk (kernel: Documentation/filesystems/9p.rst). Nothing else writes to it.
COMMAND_LINE = f"root={TAG} rootfstype=9p rootflags=trans=virtio,version=9p2000.L,msize=262144,cache=loose ro"


def unpack(root_tar: Path, folder: Path) -> Path:
    """Unpack the root file system into `folder`, anew where the archive is newer; the folder. As root owners are kept;
    for others all files are theirs, which the guest sees."""
    stamp = folder.with_name(folder.name + ".from")
    info = root_tar.stat()
    state = f"{info.st_size} {info.st_mtime_ns}\n"
    if folder.is_dir() and stamp.exists() and stamp.read_text() == state:
        return folder
    part = folder.with_name(folder.name + ".part")
    for old in (part, folder):
        if old.exists():
            remove(old)
    part.mkdir(parents=True)
    with tarfile.open(root_tar) as archive:
        archive.extractall(part, numeric_owner=True, filter=None if os.geteuid() == 0 else "tar")
    part.replace(folder)
    stamp.write_text(state)
    return folder


def remove(folder: Path) -> None:
    """Remove a folder, whatever the modes of those in it."""
    for directory, _, _ in os.walk(folder):
        Path(directory).chmod(0o700)
    shutil.rmtree(folder)


def devices(folder: Path) -> list[str]:
    """QEMU's arguments for it."""
    if not (folder / "sbin" / "init").exists() and not (folder / "usr" / "sbin" / "init").exists():
        raise TholeError(f"{folder} is no root file system: it has no /sbin/init")
    path = str(folder).replace(",", ",,")
    return [
        "-fsdev",
        f"local,id=root,path={path},security_model=none,readonly=on,multidevs=remap",
        "-device",
        f"virtio-9p-pci,fsdev=root,mount_tag={TAG}",
    ]
