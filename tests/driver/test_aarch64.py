"""The init for aarch64: linked statically, and its command line runs under user-mode emulation."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from driver import host_tools

CHECKOUT = Path(__file__).resolve().parents[2]
EM_AARCH64, PT_INTERP = 183, 3


@pytest.fixture(scope="module")
def init() -> Path:
    """The init as `./thole build --arch aarch64 --format init` makes it."""
    done = subprocess.run(
        [sys.executable, CHECKOUT / "thole", "build", "--arch", "aarch64", "--format", "init", "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return Path(next(row["path"] for row in json.loads(done.stdout) if row["name"] == "init"))


def test_it_is_a_static_program_for_aarch64(init: Path) -> None:
    """ELF's header and program headers say so."""
    content = init.read_bytes()
    assert content[:6] == b"\x7fELF\x02\x01"
    (machine,) = struct.unpack_from("<H", content, 18)
    assert machine == EM_AARCH64
    (offset,) = struct.unpack_from("<Q", content, 32)
    size, count = struct.unpack_from("<HH", content, 54)
    kinds = [struct.unpack_from("<I", content, offset + number * size)[0] for number in range(count)]
    assert PT_INTERP not in kinds


def test_its_command_line_runs(init: Path, tmp_path: Path) -> None:
    """It checks our units and refuses a wrong one, under QEMU's user-mode emulation."""
    units = sorted(CHECKOUT.glob("services/*/*.unit"))
    for unit in units:
        shutil.copy(unit, tmp_path)
    command = [*host_tools.tool("qemu-aarch64"), init, "lint", tmp_path]
    good = subprocess.run(command, capture_output=True, text=True, check=False)
    assert good.returncode == 0 and f"{len(units)} units are right" in good.stdout, good.stdout + good.stderr
    (tmp_path / "wrong.unit").write_text("[unit]\nrequieres = nobody\n")
    bad = subprocess.run(command, capture_output=True, text=True, check=False)
    assert bad.returncode == 1 and "requieres" in bad.stderr, bad.stdout + bad.stderr
