"""What the build made and a VM needs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from driver.errors import TholeError
from qemu.images import check_disk, check_kernel

CHECKOUT = Path(__file__).resolve().parent.parent
BUILD = CHECKOUT / "build" / "x86_64"
KERNELS = {"x86_64": "vmlinux", "aarch64": "bzImage"}


@dataclass(frozen=True)
class Artifacts:
    """Paths of one build."""

    kernel: Path  # vmlinux, started by PVH; for aarch64 the one that unpacks itself
    disk: Path  # GPT with the root file system
    init: Path  # PID 1 as it lies in the root file system
    kubernetes: Path | None  # the node's multi-call binary; called as kubectl it serves this machine too
    root_tar: Path  # the root file system as an archive
    architecture: str = "x86_64"

    @classmethod
    def find(cls, build: Path = BUILD, also: str = "") -> Artifacts:
        """Look in a build directory; TholeError names what is not there.

        `also` is a profile whose root file system is made beside that of the build (ALSO in driver/build.py).
        """
        prefix = also.replace(",", "-") + "-" if also else ""
        architecture = "aarch64" if manifest(build, prefix)["architecture"] == "arm64" else "x86_64"
        return cls(
            kernel=one(build, KERNELS[architecture]),
            disk=one(build, f"{prefix}disk.img"),
            init=one(build, "init"),
            kubernetes=find_one(build, "kubernetes") if "kubernetes" in profiles(build, prefix) else None,
            root_tar=one(build, f"{prefix}root.tar"),
            architecture=architecture,
        )

    def check(self) -> None:
        """Refuse a kernel or a disk that is missing or cut short, before QEMU starts."""
        if self.architecture == "x86_64":
            check_kernel(self.kernel)
        check_disk(self.disk)


def manifest(build: Path, prefix: str) -> dict[str, Any]:
    """What the root file system was made of and for."""
    found: dict[str, Any] = json.loads(one(build, f"{prefix}root.manifest.json").read_text())
    return found


def profiles(build: Path, prefix: str) -> list[str]:
    """The root's profiles; a build may hold programs of others too."""
    return str(manifest(build, prefix)["profile"]).split(",")


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
