"""Initramfs archives: what cpio itself makes of them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from image import cpio


def test_the_same_files_are_the_same_archive(tmp_path: Path) -> None:
    """From a file or from its bytes, and cpio unpacks what was put in."""
    program = tmp_path / "program"
    program.write_bytes(b"\x7fELF" + b"x" * 4097)
    cpio.write(tmp_path / "one", {"init": program, "live/header": b"text\n", "live/empty": b""})
    cpio.write(tmp_path / "two", {"live/empty": b"", "live/header": b"text\n", "init": program.read_bytes()})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    if not shutil.which("cpio"):
        pytest.skip("no cpio on this machine")
    out = tmp_path / "out"
    out.mkdir()
    with (tmp_path / "one").open("rb") as stream:
        subprocess.run(["cpio", "--extract", "--quiet"], stdin=stream, cwd=out, check=True)
    assert sorted(str(path.relative_to(out)) for path in out.rglob("*")) == [
        "init", "live", "live/empty", "live/header",
    ]  # fmt: skip
    assert (out / "init").read_bytes() == program.read_bytes()
    assert (out / "init").stat().st_mode & 0o777 == 0o755
    assert (out / "live/header").stat().st_mode & 0o777 == 0o600
