"""The native C++ tests that Meson built, a test each: SUITE/NAME, with `unit` and `fuzz` as suites.

The driver builds build/native before it comes here; Meson's introspection data names its tests.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

NATIVE = Path(__file__).resolve().parents[2] / "build" / "native"
INTROSPECTION = NATIVE / "meson-info" / "intro-tests.json"
SECONDS = 300


def layer(one: dict[str, Any]) -> str:
    """The suite that tests/meson.build gives a test, without the project's name that Meson puts before it."""
    return one["suite"][0].rpartition(":")[2] if one["suite"] else "unit"


def native_tests() -> list[Any]:
    """One parameter for every test of the native build; without a build one that fails."""
    if not INTROSPECTION.is_file():
        return [pytest.param(None, id="native-build", marks=pytest.mark.name("unit/native-build"))]
    return [
        pytest.param(one, id=one["name"], marks=pytest.mark.name(f"{layer(one)}/{one['name']}"))
        for one in json.loads(INTROSPECTION.read_text())
    ]


@pytest.mark.parametrize("native", native_tests())
def test_native(native: dict[str, Any] | None, tmp_path: Path) -> None:
    """Run one test program as Meson would; its output is shown when it fails."""
    assert native, f"{INTROSPECTION} is not there: ./thole test builds it"
    command = native["cmd"]
    if layer(native) == "fuzz":
        # What libFuzzer finds it writes into the first folder; the committed corpus is only read.
        command = [*command[:-1], str(tmp_path), command[-1]]
    environment = {**os.environ, **native["env"]}
    environment.setdefault("ASAN_OPTIONS", "detect_leaks=1:abort_on_error=0")
    environment.setdefault("UBSAN_OPTIONS", "halt_on_error=1:print_stacktrace=1")
    done = subprocess.run(
        command, cwd=native["workdir"] or NATIVE, env=environment, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    output = done.stdout[-8000:] + done.stderr[-8000:]
    assert done.returncode == 0, f"{native['name']} ended with {done.returncode}\n{output}"
    print(done.stdout.strip().splitlines()[-1] if done.stdout.strip() else "passed")
