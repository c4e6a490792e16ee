"""Two builds, in different folders, by machines of other names, with another umask, time zone and language: the same bytes.

The other build compiles everything anew, the kernel too; what is only fetched it takes from the usual cache.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from driver.cache import default_root, file_sha256

CHECKOUT = Path(__file__).resolve().parents[2]
FETCHED = ("apt", "firmware", "go-modules", "host-tools", "libraries", "packages", "venv", "zig")
FORMATS = ("bios", "live", "oci", "uefi", "upgrade")
COMPARED = (
    "init/init", "kernel-config/bzImage", "kernel-config/vmlinux", "rootfs/root.erofs", "rootfs/root.tar",
    "rootfs/root.spdx.json", "image/oci.tar", "image/uefi.img", "image/bios.img", "image/thole.upgrade",
    "image/live.img", "image/live.iso",
)  # fmt: skip
ELSEWHERE = ["unshare", "--map-root-user", "--uts", "sh", "-c", 'hostname elsewhere && exec "$@"', "sh"]

pytestmark = pytest.mark.long


def build(checkout: Path, environment: dict[str, str], before: list[str], umask: int = -1) -> None:
    """All formats."""
    for form in FORMATS:
        command = [*before, sys.executable, str(checkout / "thole"), "build", "--format", form]
        done = subprocess.run(
            command, cwd=checkout, env={**os.environ, **environment}, umask=umask, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{form}: {done.stderr[-4000:]}"


def copy_checkout(target: Path) -> None:
    """What git knows of, as it is now."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=CHECKOUT, capture_output=True, check=True).stdout
    target.mkdir(parents=True)
    archive = subprocess.Popen(
        ["tar", "--null", "--files-from=-", "-c"], cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with subprocess.Popen(["tar", "-x"], cwd=target, stdin=archive.stdout) as unpack:
        assert archive.stdin
        archive.stdin.write(names)
        archive.stdin.close()
        assert archive.wait() == 0 and unpack.wait() == 0


def test_another_folder_and_another_machine(tmp_path: Path) -> None:
    """Every artefact has the same sum."""
    build(CHECKOUT, {}, [])
    cache = tmp_path / "its-cache" / "thole"
    cache.mkdir(parents=True)
    for name in FETCHED:
        if (default_root() / name).exists():
            # apt writes to files that it has.
            link = ["--link"] if name != "apt" else []
            subprocess.run(["cp", "--archive", *link, default_root() / name, cache], check=True)
    checkout = tmp_path / "another-name"
    copy_checkout(checkout)
    other = {"XDG_CACHE_HOME": str(cache.parent), "TZ": "Asia/Kathmandu", "LC_ALL": "C", "SOURCE_DATE_EPOCH": "1000000000"}
    build(checkout, other, ELSEWHERE, 0o077)
    different = [
        name for name in COMPARED
        if file_sha256(CHECKOUT / "build/x86_64" / name) != file_sha256(checkout / "build/x86_64" / name)
    ]  # fmt: skip
    assert not different
