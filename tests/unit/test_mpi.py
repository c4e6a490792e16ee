"""The MPI program of the VM tests: made here, and run as a single rank by Debian 13's own loader."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from vm import mpi

from driver import host_tools

LIMIT = 120


@pytest.fixture(scope="module")
def folder() -> Path:
    """What a node gets."""
    return mpi.built()


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The program as a singleton: no SLURM, no PMIx server."""
    system = host_tools.unpacked("mkfs.erofs")  # any tool: it has Debian 13's C library
    path = f"{folder}/{mpi.LIBRARIES}:{system}/usr/lib/x86_64-linux-gnu"
    command = [system / "usr/lib64/ld-linux-x86-64.so.2", "--library-path", path, folder / mpi.PROGRAM, *arguments]
    settings = dict(one.split("=", 1) for one in mpi.environment(str(folder)))
    settings.pop("LD_LIBRARY_PATH")  # of this machine's own programs, if it starts any
    return subprocess.run(
        command, env={**os.environ, **settings}, capture_output=True, text=True, timeout=LIMIT, check=False
    )


def test_alone(folder: Path) -> None:
    """One rank is a ring too."""
    done = run(folder, "1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("rank 0 of 1 on ")
    assert "ring of 1: sum 0, 0 wrong words\n" in done.stdout


def test_too_few(folder: Path) -> None:
    """A rank that does not find the others must not pass for all of them."""
    done = run(folder, "2")
    assert done.returncode == 1
    assert "ring: 1 ranks, not 2" in done.stderr


def test_put(folder: Path, tmp_path: Path) -> None:
    """The tree of a data disk: program, libraries, nothing of the cache's own."""
    mpi.put(tmp_path / "mpi")
    assert os.access(tmp_path / "mpi" / mpi.PROGRAM, os.X_OK)
    assert (tmp_path / "mpi" / mpi.LIBRARIES / "libmpi.so.40").is_file()
    assert not list((tmp_path / "mpi").glob(".*"))
