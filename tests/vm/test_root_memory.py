"""A node whose root file system is in memory, and one whose machine says nothing about itself: the kubelet is Ready."""

from __future__ import annotations

from pathlib import Path

import pytest
from vm.tools import halt_message, throwaway

from driver.errors import TholeError
from qemu.artifacts import Artifacts
from qemu.checks import objects
from qemu.node import Node
from qemu.vm import GIB, MACHINE, MICROVM, Vm

READY, SHORT = 600.0, 300


@pytest.mark.parametrize(
    ("root", "machine"),
    [
        pytest.param("tmpfs", MACHINE, id="tmpfs"),
        pytest.param("overlay", MICROVM, id="overlay-without-dmi", marks=pytest.mark.long),
    ],
)
def test_the_kubelet_is_ready_and_pods_run(
    artifacts: Artifacts, tmp_path: Path, watched: list[Vm], root: str, machine: str
) -> None:
    """PID 1 has started again from the new root, nothing keeps the old one in sight, and the kubelet runs pods."""
    config = throwaway(
        artifacts, tmp_path / "vm", name="inmemory", machine=machine, memory=4 * GIB,
        command_line=f"thole.node.root={root}", deadline=1200,
    )  # fmt: skip
    vm = Vm(config)
    watched.append(vm)
    node = Node(vm.start())
    print(f"Ready {node.wait_ready(READY):.1f} s after power-on")
    mounts = [line.split()[:3] for line in node.agent.read_text("/proc/mounts").splitlines()]
    assert [root] == [kind for _, place, kind in mounts if place == "/"], mounts
    assert "erofs" not in {kind for _, _, kind in mounts}, mounts
    if machine == MICROVM:
        with pytest.raises(TholeError):
            node.agent.read_text("/sys/class/dmi/id/product_uuid")
    node.wait_takes_pods(READY)
    node.apply(objects.pod("client", "sleep"))
    node.wait_for("pod/client", "condition=Ready", SHORT)
    information = node.get("node", node.name)["status"]
    assert int(information["capacity"]["ephemeral-storage"].removesuffix("Ki")) > 1 << 20
    print(f"the kubelet's system UUID: {information['nodeInfo']['systemUUID']}")
    print(f"off after {node.poweroff():.1f} s")
    vm.console.check()


def test_a_copy_that_does_not_fit_halts_the_node(artifacts: Artifacts, tmp_path: Path, watched: list[Vm]) -> None:
    """It says what took the memory and what to do; nothing was written to the data disk."""
    config = throwaway(
        artifacts, tmp_path / "vm", name="toosmall", memory=256 << 20, minimum_memory=256 << 20,
        command_line="thole.node.root=tmpfs",
    )  # fmt: skip
    vm = Vm(config)
    watched.append(vm)
    vm.start()
    said = halt_message(vm)
    assert "node.root = tmpfs copies the whole root" in said, said
    assert config.data.stat().st_blocks == 0
