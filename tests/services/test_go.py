"""The Go modules' own tests, with the same changes of upstream's code as in the build, so that its cache serves both."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from driver import toolchain
from services import go_build
from services.go_build import Module
from services.kubernetes import build as kubernetes

TIMEOUT = 1200  # where nothing was built before
_MODULES = sorted({path.parent for path in go_build.SERVICES.rglob("go.mod")})


def modules() -> list[Module]:
    """Those that have tests; a module inside another is not part of it."""
    found = [kubernetes.components()]
    known = {module.directory for module in found}
    found += [Module("test", path, {}) for path in _MODULES if path not in known]
    return [module for module in found if any(path.name.endswith("_test.go") for path in go_build.sources(module))]


@pytest.mark.parametrize("module", [pytest.param(one, id=one.directory.name) for one in modules()])
def test_go(module: Module, tmp_path: Path) -> None:
    """`go test` of all its packages."""
    environment = go_build.environment(module, "x86_64")
    place = go_build.workplace(module, environment, tmp_path)
    done = subprocess.run(
        [toolchain.go(), "test", "./..."],
        cwd=place, env=environment, capture_output=True, text=True, timeout=TIMEOUT, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
