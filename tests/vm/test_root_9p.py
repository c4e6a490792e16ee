"""A node whose root file system is a folder of its host, by virtio-9p: the kubelet is Ready there, too."""

from __future__ import annotations

from pathlib import Path

from vm.tools import throwaway

from qemu.artifacts import Artifacts
from qemu.checks import objects
from qemu.node import Node
from qemu.root_folder import unpack
from qemu.vm import Vm

READY, SHORT = 600.0, 300


def test_the_kubelet_is_ready_and_pods_run(artifacts: Artifacts, tmp_path: Path, watched: list[Vm]) -> None:
    """What the kubelet asks of its root file system (cAdvisor knows no 9p) it asks of /var."""
    root = unpack(artifacts.root_tar, tmp_path / "root")
    vm = Vm(throwaway(artifacts, tmp_path / "vm", name="on9p", root_folder=root, deadline=1200))
    watched.append(vm)
    node = Node(vm.start())
    print(f"Ready {node.wait_ready(READY):.1f} s after power-on")
    mounts = [line.split()[:3] for line in node.agent.read_text("/proc/mounts").splitlines()]
    assert ["9p"] == [kind for _, place, kind in mounts if place == "/"], mounts
    node.wait_takes_pods(READY)
    node.apply(objects.pod("client", "sleep"))
    node.wait_for("pod/client", "condition=Ready", SHORT)
    capacity = node.get("node", node.name)["status"]["capacity"]
    assert int(capacity["ephemeral-storage"].removesuffix("Ki")) > 1 << 20
    print(f"off after {node.poweroff():.1f} s")
    vm.console.check()
