"""A real operator with a kind of its own, installed in the cluster, reconciles."""

from __future__ import annotations

from pathlib import Path

import pytest
from vm import operators
from vm.tools import throwaway

from qemu.artifacts import Artifacts
from qemu.checks.survival import until
from qemu.node import Node
from qemu.vm import GIB, Vm

READY, SHORT, IMPORT = 900.0, 300, 600
DISK, WORKERS = "/dev/vdc", 2
pytestmark = pytest.mark.long


def test_an_operator_reconciles(artifacts: Artifacts, tmp_path: Path, watched: list[Vm]) -> None:
    """It makes the pods, the Service and the launcher of an MPIJob; the job succeeds, and what ran is taken away."""
    archive = operators.build(tmp_path)
    extra = [
        "-blockdev", f"driver=raw,node-name=operator,read-only=on,file.driver=file,file.filename={archive}",
        "-device", "virtio-blk-pci,drive=operator,serial=operator",
    ]  # fmt: skip
    vm = Vm(throwaway(artifacts, tmp_path / "vm", name="operated", extra=extra, memory=3 * GIB, deadline=2400))
    watched.append(vm)
    node = Node(vm.start())
    node.wait_ready(READY)
    node.wait_takes_pods(READY)
    node.agent.check_output(("/usr/bin/ctr", "-n", "k8s.io", "images", "import", DISK), IMPORT)
    operators.install(node, SHORT)
    node.apply(operators.mpi_job("ring", WORKERS))
    until("the operator has made its workers", lambda: len(workers(node)) == WORKERS, SHORT)
    assert node.get("service", "ring")["spec"]["clusterIP"] == "None"
    node.wait_for("mpijob/ring", "condition=Succeeded", READY)
    until("the workers are taken away", lambda: not workers(node), SHORT)
    node.kubectl("delete", "mpijob", "ring", timeout=SHORT)
    until("what it owned is gone", lambda: node.run_kubectl("get", "service", "ring").returncode != 0, SHORT)
    node.poweroff()
    vm.console.check()


def workers(node: Node) -> list[str]:
    """The job's pods that serve, but those that end."""
    items = node.get("pods", "-l", "training.kubeflow.org/job-role=worker")["items"]
    return [one["metadata"]["name"] for one in items if "deletionTimestamp" not in one["metadata"]]
