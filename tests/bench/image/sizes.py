"""Bytes of kernel and root for each profile, of what the root consists, and what others publish."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from bench.supervisors import Results
from driver.host_tools import tool
from qemu.artifacts import one

PROFILES = ("base", "kubernetes", "compact,kubernetes", "slurm", "kubernetes,slurm")
_LEVEL = "-19"
_OWNER = re.compile(r"^(\S+)(?: (\S+))?: ([\d,]+) bytes; ", re.MULTILINE)
_EXECUTABLE = re.compile(r"^ +[\d,]+ \* /", re.MULTILINE)
_PARTS = {
    "service kubernetes": "kubernetes", "service images": "images", "service containerd": "containerd", "init": "init",
    "package": "packages",
}  # fmt: skip
# What their pages say of their own images (Talos: squashfs of the node; Flatcar: executables; k3s: the program alone).
PUBLISHED: dict[str, Results] = {
    "Talos": {"root": 80.0, "executables": 12.0},
    "Flatcar": {"executables": 2391.0},
    "k3s": {"root": 70.0},
}


def of(build: Path, profile: str, usual: str) -> Results:
    """MB (millions of bytes) by part, and executables, of a profile; `usual` is the build's own."""
    prefix = "" if profile == usual else profile.replace(",", "-") + "-"
    kernel, root = one(build, "bzImage"), one(build, f"{prefix}root.erofs")
    owned = one(build, f"{prefix}root.owners.txt").read_text()
    parts = dict.fromkeys((*_PARTS.values(), "rest"), 0.0)
    for kind, name, size in _OWNER.findall(owned):
        part = _PARTS.get(f"{kind} {name}", _PARTS.get(kind, "rest"))
        parts[part] += int(size.replace(",", "")) / 1e6
    return {
        "kernel": kernel.stat().st_size / 1e6,
        "root": root.stat().st_size / 1e6,
        "packed": (packed(kernel) + packed(root)) / 1e6,
        "executables": float(len(_EXECUTABLE.findall(owned))),
        **{f"part {name}": size for name, size in parts.items() if size},
    }


def packed(path: Path) -> int:
    """Bytes of a file when zstd has compressed it."""
    command = [*tool("zstd"), _LEVEL, "-T0", "--stdout", "--quiet", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        return sum(len(block) for block in iter(lambda: process.stdout.read(1 << 20), b""))
