"""One node from an empty data disk to its second boot: the checks of `./thole run --check`, a test each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from vm.tools import throwaway

from qemu.artifacts import Artifacts
from qemu.checks import Lab, all_checks, run_check
from qemu.checks.registry import Check
from qemu.vm import Vm

DEADLINE = 1200
# What a first boot up to the Ready node shows. The checks behind it load the cluster, which takes a quarter of an hour under
# emulation: they run with --all, or as `./thole run --check`.
USUAL = (
    "boots",
    "pid1-is-ours",
    "cgroup-delegation",
    "shared-root",
    "kernel-log",
    "no-dbus-or-systemd-binary",
    "node-ready",
)


def checks() -> list[object]:
    """Every check; the longer ones marked so."""
    return [
        pytest.param(check, id=check.name, marks=() if check.name in USUAL else pytest.mark.long)
        for check in all_checks()
    ]


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


@pytest.mark.parametrize("check", checks())
def test_check(lab: Lab, check: Check) -> None:
    """Checks build on each other, so one that needs a failed one fails as well and says which."""
    result = run_check(lab, check)
    print(f"{check.title}: {result.text} ({result.seconds:.1f} s)")
    assert result.passed, f"{check.title}: {result.text}"
