"""A node of the profile k3s, with k3s itself; where no build could get it, this is skipped and says so."""

from __future__ import annotations

from pathlib import Path

import pytest
from vm.tools import throwaway

from driver.build import built_profile
from driver.cache import Cache
from qemu.artifacts import Artifacts
from qemu.node import Node
from qemu.vm import GIB, Vm
from services.k3s.obtain import NAMES, Lock, Release

READY = 900.0
KUBECTL = ("/usr/bin/k3s", "kubectl")
pytestmark = pytest.mark.long


def k3s_is_there() -> bool:
    """Whether a build has checked the pinned program and still has it."""
    known = Lock().get(Release.read().version, NAMES["x86_64"].program)
    return bool(known) and Cache().has("k3s", known)


@pytest.mark.skipif(not k3s_is_there(), reason="no k3s binary")
def test_a_server_of_k3s_is_ready(artifacts: Artifacts, tmp_path: Path, watched: list[Vm]) -> None:
    """It reports by sd_notify, and its node becomes Ready."""
    if "k3s" not in built_profile().split(","):
        pytest.skip("the build is of another profile: ./thole build --profile k3s")
    vm = Vm(throwaway(artifacts, tmp_path / "vm", name="k3s", deadline=1800, cpus=2, memory=2 * GIB))
    watched.append(vm)
    node = Node(vm.start())
    node.wait_running(READY)
    assert node.agent.execute(("/usr/bin/thole", "doctor", "k3s"), 60).status == 0
    node.agent.execute((*KUBECTL, "wait", "node", "--all", "--for=condition=Ready", "--timeout=600s"), 660)
    nodes = node.agent.check_output((*KUBECTL, "get", "nodes"), 60)
    assert " Ready " in nodes, nodes
    node.poweroff()
    vm.console.check()
