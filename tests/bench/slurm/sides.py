"""The two that are measured: each as a VM of the same size on the same kernel, started by the same QEMU arguments."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from bench.slurm import debian
from bench.supervisors import Results
from bench.table import Line
from bench.vm import debian as composed
from driver.errors import TholeError
from driver.host_tools import tool
from driver.paths import CHECKOUT, TARGET
from qemu.artifacts import Artifacts, one
from qemu.host import MIB
from qemu.vm import VmConfig
from rootfs import pack
from rootfs.profile import USUAL_COMPRESSION

MEMORY, CPUS = 2048 * MIB, 2
FOR_JOBS = 1792  # MiB
DEADLINE = 4 * 3600
SIZE_LINES = (
    Line("erofs", "root file system as compressed erofs, MB", 1),
    Line("files", "its files, MB", 1),
    Line("count", "files"),
    Line("base", "thole without SLURM (base), as compressed erofs, MB", 1),
)
_NODE_INI = f"[slurm]\nrole = controller, compute\nmemory = {FOR_JOBS}\n"
# As rootfs/pack.py packs the node's.
_EROFS = ("--quiet", "-d1", f"-z{USUAL_COMPRESSION}", pack.CLUSTER, "-T0", "--all-root")


class Side(NamedTuple):
    """One column. `prepare` puts an empty data disk and what else a VM needs into a folder and says how to start it."""

    name: str
    prepare: Callable[[Artifacts, Path], VmConfig]
    sizes: Callable[[Artifacts], Results]


def config(artifacts: Artifacts, folder: Path, **more: object) -> VmConfig:
    """What both have in common."""
    return VmConfig(
        artifacts=artifacts, folder=folder, port="auto", throwaway=True, reboots=False, memory=MEMORY, cpus=CPUS,
        deadline=DEADLINE, **more,
    )  # fmt: skip


def thole(artifacts: Artifacts, folder: Path) -> VmConfig:
    """A node as node.ini makes it controller and compute node."""
    settings = folder / "node.ini"
    settings.write_text(_NODE_INI)
    return config(artifacts, folder, node_config=settings)


def systemd(artifacts: Artifacts, folder: Path) -> VmConfig:
    """Debian lies on the VM's data disk; the other disk it leaves alone."""
    disk = folder / "data.img"
    command = ["cp", "--sparse=always", "--reflink=auto", composed.make(debian.recipe(FOR_JOBS)), disk]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise TholeError(f"the image does not copy: {done.stderr.strip()}", "free some space in the temporary folder")
    return config(artifacts, folder, command_line="root=/dev/vdb rw")


def sizes_of_thole(artifacts: Artifacts) -> Results:
    """The root of the build, and that of the profile base composed beside it."""
    with tempfile.TemporaryDirectory(prefix="thole-bench-") as folder:
        command = [
            sys.executable, CHECKOUT / "rootfs" / "compose.py", "--profile", "base", "--init", artifacts.init,
            "--out", folder,
        ]  # fmt: skip
        done = subprocess.run(
            command, env={**os.environ, "PYTHONPATH": str(CHECKOUT)}, capture_output=True, text=True, check=False
        )  # fmt: skip
        if done.returncode:
            raise TholeError(f"the profile base is not composed: {done.stderr.strip()[-500:]}", "see rootfs/compose.py")
        base = (Path(folder) / "root.erofs").stat().st_size
    with tarfile.open(artifacts.root_tar) as archive:
        files = [member.size for member in archive if member.isfile()]
    root = one(TARGET, "root.erofs").stat().st_size
    return {"erofs": root / 1e6, "base": base / 1e6, "files": sum(files) / 1e6, "count": len(files)}


def sizes_of_debian(_artifacts: Artifacts) -> Results:
    """Its packages' files, packed as the node's root is."""
    packages = composed.packages_of(debian.recipe(FOR_JOBS))
    files = [path.stat().st_size for path in packages.rglob("*") if path.is_file() and not path.is_symlink()]
    with tempfile.TemporaryDirectory(prefix="thole-bench-") as folder:
        image = Path(folder) / "root.erofs"
        done = subprocess.run(
            [*tool("mkfs.erofs"), *_EROFS, image, packages], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise TholeError(f"mkfs.erofs failed: {done.stderr.strip()[-500:]}", "see tests/bench/slurm/sides.py")
        return {"erofs": image.stat().st_size / 1e6, "files": sum(files) / 1e6, "count": len(files)}


def both() -> tuple[Side, ...]:
    """The columns, by the names under which --only knows them."""
    return Side("thole", thole, sizes_of_thole), Side("Debian 13, systemd", systemd, sizes_of_debian)
