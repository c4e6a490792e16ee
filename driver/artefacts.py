"""What a build made, as a table or as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from driver.cache import file_sha256
from driver.paths import CHECKOUT

# Name, and the place below the build directory.
PLACES = {
    "init": "init/init",
    "kernel": "kernel-config/bzImage",
    "vmlinux": "kernel-config/vmlinux",
    "kubernetes": "services/kubernetes/kubernetes",
    "containerd": "services/containerd/containerd",
    "root": "rootfs/root.erofs",
    "root.tar": "rootfs/root.tar",
    "disk": "image/disk.img",
    "oci": "image/oci.tar",
    "uefi": "image/uefi.img",
    "bios": "image/bios.img",
    "upgrade": "image/thole.upgrade",
    "live": "image/live.efi",
    "live.cpio": "image/live.cpio",
    "live.img": "image/live.img",
    "live.iso": "image/live.iso",
}


def collect(build: Path) -> list[dict[str, Any]]:
    """Name, path, bytes and sha256 of each artefact that is there.

    A file's sum is kept beside the build and used again while size and time of the file are the same.
    """
    memory = build / "artefact-sums.json"
    try:
        known = json.loads(memory.read_text())
    except (OSError, ValueError):
        known = {}
    rows, sums = [], {}
    for name, place in PLACES.items():
        path = build / place
        if not path.is_file():
            continue
        info = path.stat()
        state = [info.st_size, info.st_mtime_ns]
        old = known.get(place)
        sums[place] = old if old and old[:2] == state else [*state, file_sha256(path)]
        rows.append({"name": name, "path": str(path), "bytes": info.st_size, "sha256": sums[place][2]})
    if sums != known:
        memory.write_text(json.dumps(sums))
    return rows


def rows_of(files: list[Path]) -> list[dict[str, Any]]:
    """The same of other files."""
    return [
        {"name": path.name, "path": str(path), "bytes": path.stat().st_size, "sha256": file_sha256(path)} for path in files
    ]


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as text; paths relative to the checkout, sums cut to what a person compares."""
    lines = [("name", "bytes", "sha256", "path")]
    for row in rows:
        path = Path(row["path"])
        shown = path.relative_to(CHECKOUT) if path.is_relative_to(CHECKOUT) else path
        lines.append((row["name"], f"{row['bytes']:,}", row["sha256"], str(shown)))
    widths = [max(len(line[column]) for line in lines) for column in range(3)]
    return "\n".join(
        f"{name:<{widths[0]}}  {size:>{widths[1]}}  {sha256:<{widths[2]}}  {path}"
        for name, size, sha256, path in lines
    )
