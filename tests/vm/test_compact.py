"""The image of the profile `compact`: the same node in fewer bytes."""

from __future__ import annotations

from pathlib import Path

import pytest
from vm.tools import throwaway

from qemu.artifacts import Artifacts
from qemu.node import Node
from qemu.vm import GIB, Vm

READY = 900.0
pytestmark = pytest.mark.long


def test_a_compact_image_is_a_node(
    request: pytest.FixtureRequest, artifacts: Artifacts, tmp_path: Path, watched: list[Vm]
) -> None:
    """It is smaller by a tenth and more than the usual one, and comes as far."""
    compact = Artifacts.find(request.config.getoption("--build"), "compact,kubernetes")
    assert compact.disk.stat().st_size < artifacts.disk.stat().st_size * 0.9
    vm = Vm(throwaway(compact, tmp_path / "vm", name="compact", memory=3 * GIB, deadline=1800))
    watched.append(vm)
    node = Node(vm.start())
    print(f"Ready {node.wait_ready(READY):.1f} s after power-on")
    node.wait_takes_pods(READY)
    print(f"off after {node.poweroff():.1f} s")
    vm.console.check()
