"""A Kubernetes cluster inside a SLURM job: over two nodes, within the job's limits, and gone with it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from vm.slurm import Nodes
from vm.tools import throwaway_cluster

from qemu.artifacts import Artifacts
from qemu.checks.survival import until
from qemu.cluster.cluster import Cluster
from qemu.vm import GIB, Vm

NAMES = ["node1", "node2"]
BOOT, UP, SHORT = 600, 2400.0, 180
MEMORY = 2200  # of each node for jobs, MiB
COMMON = {"slurm.controller": "node1", "slurm.memory": str(MEMORY + 100)}
READY = "kubectl get nodes --no-headers; kubectl get nodes -o jsonpath={..allocatable.memory}; echo"
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def nodes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, watched_by_module: list[Vm]
) -> Iterator[Nodes]:
    """Two nodes of SLURM whose image has Kubernetes, which does not run."""
    artifacts = Artifacts.find(request.config.getoption("--build"), "kubernetes,slurm")
    spec = throwaway_cluster(
        artifacts, tmp_path_factory.mktemp("jobs"), nodes=2, mesh=True, memory=3 * GIB, cpus=2, deadline=5400.0,
        settings={
            "*": COMMON,
            "node1": {"slurm.role": "controller compute", "slurm.users": "alice:2000"},
            "node2": {"slurm.role": "compute"},
        },
    )  # fmt: skip
    with Cluster(spec, watched_by_module.append) as cluster:
        cluster.wait_agents(BOOT)
        made = Nodes(cluster)
        made.on("node1").wait_nodes(dict.fromkeys(NAMES, "idle"), BOOT)
        yield made
        assert cluster.stop() == []


def submit(nodes: Nodes, command: str) -> int:
    """A job of root over both nodes that has a cluster for this command."""
    wanted = ("--nodes=2", "--ntasks-per-node=1", "--cpus-per-task=2", f"--mem={MEMORY}")
    return nodes.on("node1").submit(f"thole kubernetes in-job {command}", *wanted, user="root")


def output(nodes: Nodes, job: int) -> str:
    """What the job has printed: its script runs on the first node."""
    member = nodes.cluster.nodes["node1"]
    return member.read(f"/tmp/job-{job}") if member.agent.exists(f"/tmp/job-{job}") else ""


def leftovers(nodes: Nodes, job: int) -> list[str]:
    """What of a job is still on the nodes."""
    found = []
    for name, member in nodes.cluster.nodes.items():
        scope = f"/sys/fs/cgroup/system.slice/{name}_slurmstepd.scope"
        assert member.agent.exists(scope), f"{name} has no scope of jobs"
        places = (f"/var/lib/thole/in-job/{job}", f"{scope}/job_{job}")
        found += [f"{name}: {place}" for place in places if member.agent.exists(place)]
        if "jobs0" in member.read("/proc/net/dev"):
            found.append(f"{name}: the bridge jobs0")
        if f"thole-job-{job}" in member.output("/usr/sbin/nft", "list", "tables"):
            found.append(f"{name}: rules")
    return found


def test_a_cluster_for_a_command(nodes: Nodes) -> None:
    """Both nodes are Ready, pods have what the job has, and nothing of it is left when the command has ended."""
    job = submit(nodes, f"sh -c '{READY}'")
    slurm = nodes.on("node1")
    assert slurm.wait(job, UP) == "COMPLETED", f"{slurm.detail(job)}\n{output(nodes, job)}"
    said = output(nodes, job)
    lines = [line.split()[:2] for line in said.splitlines()]
    assert ["node1", "Ready"] in lines and ["node2", "Ready"] in lines, said
    kept = [int(word.removesuffix("Ki")) >> 10 for word in said.split() if word.endswith("Ki")]
    assert len(kept) == len(NAMES) and all(MEMORY - 400 < one < MEMORY for one in kept), said
    until("nothing is left", lambda: not leftovers(nodes, job), SHORT)


def test_the_commands_exit_status_is_the_jobs(nodes: Nodes) -> None:
    """And a wrong use ends at once, without a cluster."""
    slurm = nodes.on("node1")
    job = submit(nodes, "")
    assert slurm.wait(job, SHORT) == "FAILED"
    assert "no command to run" in output(nodes, job)
    refused = slurm.submit("thole kubernetes in-job true", user="alice")
    assert slurm.wait(refused, SHORT) == "FAILED"
    assert "submit the job as root" in output(nodes, refused)


def test_a_cancelled_job_takes_its_cluster_down(nodes: Nodes) -> None:
    """Its containers end with it; the nodes are idle, and nothing of it is left."""
    job = submit(nodes, "sleep 3000")
    slurm = nodes.on("node1")
    slurm.wait(job, SHORT, {"RUNNING"})

    def up() -> bool:
        assert slurm.state(job) == "RUNNING", f"{slurm.detail(job)}\n{output(nodes, job)}"
        return "2 nodes are Ready" in output(nodes, job)

    until("its cluster is up", up, UP)
    slurm.output("/usr/bin/scancel", str(job))
    assert slurm.wait(job, SHORT) == "CANCELLED"
    until("nothing is left", lambda: not leftovers(nodes, job), SHORT)
    slurm.wait_nodes(dict.fromkeys(NAMES, "idle"), SHORT)
