"""Three nodes that are a Kubernetes cluster and a SLURM cluster at once, and both have work."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from vm.kubernetes import answers, client_on, conditions, nodes_of, pods_of, spread
from vm.slurm import Nodes, Slurm
from vm.tools import throwaway_cluster

from qemu.artifacts import Artifacts
from qemu.checks import objects
from qemu.checks.survival import until
from qemu.cluster.cluster import Cluster
from qemu.vm import GIB, Vm

NODES = ["node1", "node2", "node3"]
AGENTS = NODES[1:]
READY, ROLLOUT, JOBS, SHORT = 1200.0, 600, 1200, 180
JOB_MEMORY, REPLICAS, TASKS = 512, 6, 12
POWEROFF = 120
COMMON = {
    "slurm.controller": "node1",
    "slurm.cpus": "1",
    "slurm.memory": str(JOB_MEMORY),
    "slurm.memory-per-cpu": "64",
}
# A loop of the shell, long enough for all of it to run beside each other.
WORK = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; nproc"
pytestmark = pytest.mark.long


def test_both_work_at_once(
    request: pytest.FixtureRequest, tmp_path: Path, watched: list[Vm]
) -> None:
    """A Deployment grows and answers while an array of jobs and one over all nodes run; each keeps to its share."""
    artifacts = Artifacts.find(request.config.getoption("--build"), "kubernetes,slurm")
    settings = {"node1": {"slurm.role": "controller compute", "slurm.users": "alice:2000"}}
    settings |= {name: {"slurm.role": "compute", "kubernetes.role": "agent"} for name in AGENTS}
    spec = throwaway_cluster(
        artifacts, tmp_path, nodes=3, kubernetes=True, mesh=True, uplink=True, memory=3 * GIB, cpus=2,
        deadline=3600.0, settings={"*": COMMON, **settings},
    )  # fmt: skip
    with Cluster(spec, watched.append) as cluster:
        cluster.wait_agents(READY)
        server, slurm = cluster.nodes["node1"].node, Nodes(cluster).on("node1")
        server.wait_ready(READY)
        until("all nodes are Ready", lambda: conditions(server) == dict.fromkeys(NODES, "True"), READY)
        print(f"idle after {slurm.wait_nodes(dict.fromkeys(NODES, 'idle'), READY):.1f} s more")
        server.wait_takes_pods(READY)

        array = slurm.submit(WORK, f"--array=1-{TASKS}", "--cpus-per-task=1")
        wide = slurm.submit("srun hostname", "--nodes=3", "--ntasks-per-node=1")
        begun = time.monotonic()
        server.apply(spread("my-echo", REPLICAS), objects.service("my-echo"), *(client_on(name) for name in NODES))
        server.kubectl("rollout", "status", "deployment/my-echo", f"--timeout={ROLLOUT}s", timeout=ROLLOUT + 30)
        print(f"{REPLICAS} pods after {time.monotonic() - begun:.1f} s")
        assert nodes_of(server, "my-echo") == set(NODES)
        for name in NODES:
            server.wait_for(f"pod/client-{name}", "condition=Ready", ROLLOUT)
            until(f"the Service answers {name}", lambda name=name: answers(server, f"client-{name}"), ROLLOUT)

        assert slurm.wait(wide, JOBS) == "COMPLETED", slurm.detail(wide)
        until("all tasks have ended", lambda: set(states(slurm, array)) == {"COMPLETED"}, JOBS)
        print(f"{TASKS} jobs after {time.monotonic() - begun:.1f} s")
        assert len(states(slurm, array)) == TASKS
        restarts = [one["status"]["containerStatuses"][0]["restartCount"] for one in pods_of(server, "my-echo")]
        assert restarts == [0] * REPLICAS
        assert conditions(server) == dict.fromkeys(NODES, "True")
        slurm.wait_nodes(dict.fromkeys(NODES, "idle"), SHORT)
        for member in cluster.nodes.values():
            failed = member.output("/usr/bin/systemctl", "is-system-running")
            assert failed == "running\n", f"{member.name}: {failed}"
        assert cluster.stop(POWEROFF) == []


def states(slurm: Slurm, array: int) -> list[str]:
    """Of the array's tasks."""
    return [state for job, state in slurm.jobs(f"--jobs={array}").items() if job.startswith(f"{array}_")]
