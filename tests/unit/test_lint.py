"""`thole lint`, natively built: every unit of the image is right, and what is wrong is named."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
PROGRAM = CHECKOUT / "build" / "native" / "init" / "init"


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run `thole lint FOLDER`."""
    assert PROGRAM.is_file(), f"{PROGRAM} is not there: ./thole test builds it"
    return subprocess.run([PROGRAM, "lint", folder], capture_output=True, text=True, timeout=60, check=False)


def write(folder: Path, **units: str) -> None:
    """Units that only differ in what they need."""
    for name, needs in units.items():
        text = f"[unit]\ndescription = {name}\n{needs}\n[service]\ncommand = /usr/bin/{name}\n"
        (folder / f"{name}.unit").write_text(text)


def test_every_unit_of_the_image_is_right(tmp_path: Path) -> None:
    units = sorted(CHECKOUT.glob("services/*/*.unit"))
    assert units, "services/ holds no unit"
    for unit in units:
        shutil.copy(unit, tmp_path)
    done = lint(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(units)} units are right" in done.stdout


@pytest.mark.parametrize(
    ("units", "words"),
    [
        ({"a": "requires = b", "b": "requires = c", "c": "after = a"}, ["circle", "a", "b", "c"]),
        ({"a": "requires = a"}, ["a"]),
        ({"a": "requires = nobody"}, ["a", "nobody"]),
        ({"a": "requieres = b", "b": ""}, ["a.unit:3", "requieres", "requires"]),
    ],
    ids=["cycle", "itself", "missing", "unknown-key"],
)
def test_wrong_units_are_named(tmp_path: Path, units: dict[str, str], words: list[str]) -> None:
    write(tmp_path, **units)
    done = lint(tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    for word in words:
        assert word in done.stderr, done.stderr
