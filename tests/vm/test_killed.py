"""A node that is killed again and again while Kubernetes and SLURM work: what it acknowledged it still has."""

from __future__ import annotations

import random
import secrets
import time
from pathlib import Path

import pytest
from vm.slurm import Slurm
from vm.tools import throwaway

from qemu.artifacts import Artifacts
from qemu.node import Node
from qemu.vm import GIB, Vm

KILLS = 50
READY, ANSWER = 900.0, 60
# SLURM writes its list of jobs every five seconds at most (docs/limits.md).
WRITTEN = 8.0
NODE_INI = """\
[node]
name = node0

[slurm]
role = controller compute
users = alice:2000
cpus = 2
memory = 512
"""
KUBECTL = ("/usr/bin/kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", "--request-timeout=10s")
pytestmark = pytest.mark.long


class Work:
    """What the node has acknowledged, from boot to boot."""

    def __init__(self) -> None:
        self.objects: list[str] = []
        self.jobs: list[tuple[int, float]] = []  # number, and when it was accepted

    def more(self, node: Node, slurm: Slurm) -> None:
        """One object and one job; only what is answered counts."""
        name = f"kept-{len(self.objects)}"
        if node.agent.execute((*KUBECTL, "create", "configmap", name, f"--from-literal=name={name}"), ANSWER).status == 0:
            self.objects.append(name)
        job = slurm.submit("sleep 3600", "--hold")
        self.jobs.append((job, time.monotonic()))

    def check(self, node: Node, slurm: Slurm, killed: float) -> None:
        """All that was acknowledged is there; of jobs those that SLURM had had time to write."""
        done = node.agent.execute((*KUBECTL, "get", "configmaps", "-o", "name"), ANSWER)
        assert done.status == 0, done.output
        there = set(done.stdout.split())
        lost = [name for name in self.objects if f"configmap/{name}" not in there]
        assert not lost, f"acknowledged by the API server, and gone: {lost}"
        known = slurm.jobs()
        gone = [job for job, accepted in self.jobs if str(job) not in known and accepted < killed - WRITTEN]
        assert not gone, f"accepted by SLURM more than {WRITTEN} s before the end, and gone: {gone}"
        self.jobs = [(job, accepted) for job, accepted in self.jobs if str(job) in known]


def test_killed_at_random_moments(request: pytest.FixtureRequest, tmp_path: Path, watched: list[Vm]) -> None:
    """Its disk is as it was at that moment; it comes up, and goes on."""
    artifacts = Artifacts.find(request.config.getoption("--build"), "kubernetes,slurm")
    seed = secrets.randbelow(1 << 32)
    chance = random.Random(seed)
    print(f"seed {seed}")
    ini = tmp_path / "node.ini"
    ini.write_text(NODE_INI)
    work, killed = Work(), 0.0
    for number in range(KILLS + 1):
        config = throwaway(
            artifacts, tmp_path / f"boot{number}", name=f"killed{number}", node_config=ini, cpus=4, memory=3 * GIB,
            data_disk=tmp_path / "data.img", deadline=3600,
        )  # fmt: skip
        # A cut of QEMU is no cut of its host: what was flushed is in the file, and what was not may be.
        vm = Vm(config)
        watched.append(vm)
        node = Node(vm.start())
        ready = node.wait_ready(READY)
        slurm = Slurm(lambda *argv, timeout=ANSWER, node=node: node.agent.execute(argv, timeout))
        slurm.wait_nodes({"node0": "idle"}, READY)
        work.check(node, slurm, killed)
        print(f"boot {number}: Ready after {ready:.0f} s, {len(work.objects)} objects, {len(work.jobs)} jobs")
        if number == KILLS:
            node.poweroff()
            vm.console.check()
            return
        end = time.monotonic() + chance.uniform(1, 30)
        while time.monotonic() < end:
            work.more(node, slurm)
        killed = time.monotonic()
        vm.kill()
        vm.console.check()
        watched.remove(vm)
