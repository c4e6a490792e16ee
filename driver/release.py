"""A folder to hand out: every format of a build, compressed, with a manifest and sums.

The same build gives the same bytes (but for disks of qcow2, whose clusters qemu-img writes as they come).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from driver.cache import file_sha256
from driver.errors import TholeError
from driver.host_tools import tool

KERNEL = "linux-source-6.12"
MANIFEST, SUMS = "manifest.json", "SHA256SUMS"
_LEVEL = "-12"


@dataclass(frozen=True)
class Item:
    """A file of a build, and how it is handed out: as it is, compressed by zstd, or as qcow2."""

    source: str
    name: str
    what: str
    form: str = "plain"


ITEMS = (
    Item("image/uefi.img", "thole-uefi.img.zst", "disk that UEFI boots", "zstd"),
    Item("image/uefi.img", "thole-uefi.qcow2", "the same for virtual machines", "qcow2"),
    Item("image/bios.img", "thole-bios.img.zst", "the same for an old PC's BIOS, never signed", "zstd"),
    Item("image/live.img", "thole-live.img.zst", "stick that runs in memory, and installs", "zstd"),
    Item("image/live.iso", "thole-live.iso.zst", "CD that runs in memory, and installs", "zstd"),
    Item("image/live.efi", "thole-live.efi", "the same for UEFI's network boot"),
    Item("image/live.cpio", "thole-live.cpio", "the same for other boot loaders, with the kernel"),
    Item("image/thole.upgrade", "thole.upgrade", "for `thole upgrade`"),
    Item("image/oci.tar", "thole-oci.tar.zst", "container image, for `docker load`", "zstd"),
    Item("kernel-config/bzImage", "bzImage", "kernel"),
    Item("rootfs/root.erofs", "root.erofs", "root file system"),
    Item("rootfs/root.spdx.json", "sbom.spdx.json", "what it is made of, SPDX"),
    Item("rootfs/root.owners.txt", "owners.txt", "who answers for each file of the root"),
)
SIGNED = ("uefi.img", "live.img", "live.iso", "live.efi", "live.cpio", "thole.upgrade")


def write(build: Path, out: Path, facts: dict[str, Any], signed: bool, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Fill `out` anew; it appears under its name only when it is whole. The manifest's rows."""
    part = out.with_name(f".{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    rows = []
    for item in ITEMS:
        say(item.name)
        source = build / item.source
        if signed and source.name in SIGNED:
            source = build / "image/signed" / source.name
        target = part / item.name
        _make(item, source, target)
        row: dict[str, Any] = {"name": item.name, "what": item.what, "bytes": target.stat().st_size, "sha256": file_sha256(target)}
        if item.form == "zstd":
            row["unpacked"] = {"bytes": source.stat().st_size, "sha256": file_sha256(source)}
        rows.append(row)
    (part / MANIFEST).write_text(json.dumps({**facts, "signed": signed, "files": rows}, indent=1) + "\n")
    sums = [*((row["sha256"], row["name"]) for row in rows), (file_sha256(part / MANIFEST), MANIFEST)]
    (part / SUMS).write_text("".join(f"{total}  {name}\n" for total, name in sums))
    shutil.rmtree(out, ignore_errors=True)
    os.rename(part, out)
    return rows


def packages(build: Path) -> dict[str, dict[str, str]]:
    """What `./thole build --locked` takes again: the root's packages and the kernel's source."""
    from driver.apt import Apt
    from rootfs.packages import SUITE

    root = json.loads((build / "rootfs/root.manifest.json").read_text())["packages"]
    return {SUITE: {**root, KERNEL: Apt(SUITE).version(KERNEL)}}


def _make(item: Item, source: Path, target: Path) -> None:
    if item.form == "zstd":
        _run([*tool("zstd"), "--quiet", "--force", _LEVEL, "--threads=0", str(source), "-o", str(target)])
    elif item.form == "qcow2":
        options = ["convert", "-q", "-c", "-m", "1", "-O", "qcow2", "-o", "compression_type=zstd"]
        _run([*tool("qemu-img"), *options, str(source), str(target)])
    else:
        shutil.copyfile(source, target)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise TholeError(f"{Path(command[-1]).name} was not made: {done.stderr.strip()}", "see driver/release.py")
