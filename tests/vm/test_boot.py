"""One node from an empty data disk to its second boot: the checks of `./thole run --check`, a test each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from vm.tools import throwaway

from qemu.artifacts import Artifacts
from qemu.checks import Lab, all_checks, run_check
from qemu.checks.registry import Check
from qemu.vm import Vm

DEADLINE = 1800


@pytest.fixture(scope="module")
def lab(
    artifacts: Artifacts, tmp_path_factory: pytest.TempPathFactory, watched_by_module: list[Vm]
) -> Iterator[Lab]:
    """The node that all checks share, started from nothing."""
    with Lab(
        throwaway(artifacts, tmp_path_factory.mktemp("boot"), deadline=DEADLINE), watched_by_module.append
    ) as lab:
        lab.boot()
        yield lab


@pytest.mark.parametrize("check", all_checks(), ids=lambda check: check.name)
def test_check(lab: Lab, check: Check) -> None:
    """Checks build on each other, so one that needs a failed one fails as well and says which."""
    result = run_check(lab, check)
    print(f"{check.title}: {result.text} ({result.seconds:.1f} s)")
    assert result.passed, f"{check.title}: {result.text}"
