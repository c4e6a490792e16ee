"""A real MPI program and the libraries of its MPI, to be put onto the data disk of nodes.

Open MPI is the one of Debian 13's that starts under `srun --mpi=pmix`: it and SLURM's plugin load the same libpmix.so.2
(5.0). Debian's MPICH is built without PMIx. Nothing is installed and no root is needed: zig compiles against Debian
13's headers, libraries and C library, whatever this machine has. The C library itself is the node's.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from vm import libraries

from driver import toolchain
from driver.apt import Apt
from driver.cache import Cache, digest
from driver.errors import TholeError
from rootfs import deb

SUITE = "trixie"
SOURCE = Path(__file__).resolve().parent / "mpi" / "ring.c"
PROGRAM, LIBRARIES = "bin/ring", "lib"
# With its headers, and every package with a library that is needed by its own, one after the other.
DEVELOPMENT = "libopenmpi-dev"
PACKAGES = (
    "libopenmpi40", "libpmix2t64", "libhwloc15", "libevent-core-2.1-7t64", "libevent-pthreads-2.1-7t64", "libmunge2",
    "libudev1", "libcap2", "libnl-3-200", "libnl-route-3-200", "libnuma1", "libfabric1", "libucx0", "libpsm2-2",
    "libibverbs1", "ibverbs-providers", "librdmacm1t64",
)  # fmt: skip
_LIBRARY = "libmpi.so.40"
_TARGET = "x86_64-linux-gnu.2.41"  # Debian 13's glibc
_HEADERS = "usr/lib/x86_64-linux-gnu/openmpi/include/"


def built() -> Path:
    """A folder with bin/ring and lib/*; made once for these packages and this source."""
    packages = Apt(SUITE).download([DEVELOPMENT, *PACKAGES])
    names = [file.name for file in packages.values()]
    key = digest("3", _TARGET, toolchain.venv_key(), SOURCE, *names)
    return Cache().entry("test-mpi", key, lambda made: _make(made, packages))


def put(tree: Path) -> None:
    """Copy it all into `tree`, the folder that becomes a data disk's (`mke2fs -d`)."""
    shutil.copytree(built(), tree, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".*"))


def environment(folder: str, interface: str = "") -> list[str]:
    """What the program needs on a node, where it lies in `folder`: its libraries; a home, without which PMIx ends (a
    command of the guest agent has none); and to talk by plain TCP and memory, because nothing there has the fabrics that
    Open MPI would look for first. `interface`: the one that nodes reach each other by, where others lead nowhere (wg0).
    """
    only = [f"OMPI_MCA_btl_tcp_if_include={interface}"] if interface else []
    return [
        *only,
        "HOME=/tmp",
        f"LD_LIBRARY_PATH={folder}/{LIBRARIES}",
        "OMPI_MCA_pml=ob1",
        "OMPI_MCA_btl=self,sm,tcp",
        "OMPI_MCA_osc=^ucx",
    ]


def _make(made: Path, packages: dict[str, Path]) -> None:
    having = libraries.found(packages[name] for name in PACKAGES)
    libraries.put_needed(_LIBRARY, having, made / LIBRARIES, "tests/vm/mpi.py")
    (made / "bin").mkdir()
    headers = made / "include"
    _headers(packages[DEVELOPMENT], headers)
    _compile(made, headers)
    shutil.rmtree(headers)


def _headers(package: Path, folder: Path) -> None:
    for member in deb.members(package):
        if member.data is not None and member.path.startswith(_HEADERS):
            path = folder / member.path.removeprefix(_HEADERS)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(member.data)


def _compile(made: Path, headers: Path) -> None:
    done = subprocess.run(
        [toolchain.zig(), "cc", "-target", _TARGET, "-std=gnu17", "-O2", "-s", "-Wall", "-Werror", f"-I{headers}",
         SOURCE, made / LIBRARIES / _LIBRARY, "-Wl,--allow-shlib-undefined", "-o", made / PROGRAM],
        env={**os.environ, **toolchain.zig_environment()},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    if done.returncode:
        raise TholeError(f"{SOURCE.name} does not compile: {done.stderr.strip()[-2000:]}", f"see {SOURCE}")
