"""What the build made and a VM needs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from driver.errors import TholeError
from qemu.images import check_disk, check_kernel

CHECKOUT = Path(__file__).resolve().parent.parent
BUILD = CHECKOUT / "build" / "x86_64"


@dataclass(frozen=True)
class Artifacts:
    """Paths of one build."""

    kernel: Path  # vmlinux, started by PVH
    disk: Path  # GPT with the root file system
    init: Path  # PID 1 as it lies in the root file system
    kubernetes: Path | None  # the node's multi-call binary; called as kubectl it serves this machine too
    root_tar: Path  # the root file system as an archive

    @classmethod
    def find(cls, build: Path = BUILD, also: str = "") -> Artifacts:
        """Look in a build directory; TholeError names what is not there.

        `also` is a profile whose root file system is made beside that of the build (ALSO in driver/build.py).
        """
        prefix = also.replace(",", "-") + "-" if also else ""
        return cls(
            kernel=one(build, "vmlinux"),
            disk=one(build, f"{prefix}disk.img"),
            init=one(build, "init"),
            kubernetes=find_one(build, "kubernetes") if "kubernetes" in profiles(build, prefix) else None,
            root_tar=one(build, f"{prefix}root.tar"),
        )

    def check(self) -> None:
        """Refuse a kernel or a disk that is missing or cut short, before QEMU starts."""
        check_kernel(self.kernel)
        check_disk(self.disk)


def profiles(build: Path, prefix: str) -> list[str]:
    """What the root file system was made of, by its manifest; a build may hold programs of other profiles too."""
    manifest = json.loads(one(build, f"{prefix}root.manifest.json").read_text())
    return str(manifest["profile"]).split(",")


def one(build: Path, name: str) -> Path:
    """The file of that name, as `find_one` finds it; TholeError where it is not there."""
    path = find_one(build, name)
    if path:
        return path
    raise TholeError(f"the build has no {name} in {build}", "./thole build makes it")


def find_one(build: Path, name: str) -> Path | None:
    """The file of that name in the build directory or one or two folders below it; None where there is none."""
    for pattern in (name, f"*/{name}", f"*/*/{name}"):
        for path in sorted(build.glob(pattern)):
            if path.is_file():
                return path
    return None
