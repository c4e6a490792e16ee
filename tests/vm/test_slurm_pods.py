"""One node that runs Kubernetes and SLURM: each has its share of it, and both work at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from vm.slurm import Slurm
from vm.tools import throwaway

from qemu.artifacts import Artifacts
from qemu.checks import objects
from qemu.node import Node
from qemu.vm import GIB, Vm

IDLE, JOB, POD = 600, 300, 300
CPUS, JOB_MEMORY = 2, 512  # of the node for jobs, MiB
NODE_INI = f"""\
[node]
name = node0

[slurm]
role = controller compute
users = alice:2000
cpus = {CPUS}
memory = {JOB_MEMORY}
memory-per-cpu = 64
"""
pytestmark = pytest.mark.long  # minutes on two cores; ./thole test --all


def test_pods_and_jobs_on_one_node(request: pytest.FixtureRequest, tmp_path: Path, watched: list[Vm]) -> None:
    """What jobs have is kept from pods, and a pod and a job of all of it run beside each other."""
    artifacts = Artifacts.find(request.config.getoption("--build"), "kubernetes,slurm")
    ini = tmp_path / "node.ini"
    ini.write_text(NODE_INI)
    config = throwaway(
        artifacts, tmp_path / "vm", name="both", node_config=ini, deadline=2400, cpus=CPUS + 2, memory=3 * GIB
    )
    vm = Vm(config)
    watched.append(vm)
    node = Node(vm.start())
    print(f"Ready {node.wait_ready(IDLE):.1f} s after power-on")
    slurm = Slurm(lambda *argv, timeout=60: node.agent.execute(argv, timeout))
    slurm.wait_nodes({"node0": "idle"}, IDLE)

    status = node.get("node", node.name)["status"]
    assert status["capacity"]["cpu"] == str(CPUS + 2)
    assert status["allocatable"]["cpu"] == f"{2 * 1000 - 100}m"
    kept = mib(status["capacity"]["memory"]) - mib(status["allocatable"]["memory"])
    # 256 for the node itself, and 100 where the kubelet evicts pods.
    assert JOB_MEMORY + 355 <= kept <= JOB_MEMORY + 357, f"{kept} MiB are kept from pods"
    limit = int(node.agent.read_text("/sys/fs/cgroup/kubepods/memory.max"))
    assert limit >> 20 <= mib(status["capacity"]["memory"]) - JOB_MEMORY
    assert f"CfgTRES=cpu={CPUS},mem={JOB_MEMORY}M" in slurm.output("/usr/bin/scontrol", "show", "node", "node0")

    node.wait_takes_pods(IDLE)
    job = slurm.submit("nproc; sleep 60; echo done", f"--cpus-per-task={CPUS}", f"--mem={JOB_MEMORY}")
    slurm.wait(job, JOB, {"RUNNING"})
    node.apply(objects.pod("client", "sleep"))
    node.wait_for("pod/client", "condition=Ready", POD)
    assert slurm.wait(job, JOB) == "COMPLETED", slurm.detail(job)
    assert node.agent.read_text(f"/tmp/job-{job}").split() == [str(CPUS), "done"]
    assert {name: row for name, row in slurm.doctor().items() if not row[0]} == {}
    node.poweroff()
    vm.console.check()


def mib(quantity: str) -> int:
    """Of a Kubernetes quantity of memory in Ki."""
    return int(quantity.removesuffix("Ki")) >> 10
