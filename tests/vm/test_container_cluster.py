"""Five containers on one machine: a Kubernetes server, three agents and a login node, with SLURM and the mesh.

What was reported as broken of such nodes in containers, row by row; docs/container.md shows the same with an engine.
"""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Iterator

import pytest
from vm import containers
from vm.containers import SHORT, Inside, pod_of_a_node
from vm.slurm import Slurm

from qemu.artifacts import Artifacts
from qemu.checks import objects
from qemu.checks.survival import until
from qemu.node import Node
from qemu.vm import GIB, Vm

PROFILES = "kubernetes,slurm"
IMAGE = "localhost/thole/node:kubernetes-slurm"
SERVER, AGENTS, LOGIN = "server", ("agent1", "agent2", "agent3"), "login"
WORKERS = (SERVER, *AGENTS)
NODES = (*WORKERS, LOGIN)
INNER, JOB, ROLLOUT = 2400.0, 600, 900
KUBECTL = ("/usr/bin/kubectl", "--kubeconfig=/etc/kubernetes/admin.conf")
pytestmark = pytest.mark.long

Nodes = dict[str, Inside]


def environment(name: str, secret: str) -> dict[str, str]:
    """What a person says to each container: the names that ClusterOS had, and keys of node.ini."""
    common = {
        "NODE_NAME": name,
        "NODE_K3S_ENABLED": "false" if name == LOGIN else "true",
        "THOLE_MESH_CLUSTER": "acceptance",
        "THOLE_MESH_SECRET": secret,
        "THOLE_KUBERNETES_POD_RANGE": "10.44.0.0/16",
        "THOLE_KUBERNETES_SERVICE_RANGE": "10.45.0.0/16",
        "THOLE_SLURM_ROLE": {SERVER: "controller", LOGIN: "login"}.get(name, "compute"),
        "THOLE_SLURM_CONTROLLER": SERVER,
        "THOLE_SLURM_USERS": "alice:2000",
    }
    return common if name == LOGIN else common | {"NODE_BOOTSTRAP": "true" if name == SERVER else "false"}


@pytest.fixture(scope="module")
def nodes(
    artifacts: Artifacts,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    watched_by_module: list[Vm],
) -> Iterator[Nodes]:
    """All five, started at the same time."""
    archive = containers.archive_of(request.config.getoption("--build"), PROFILES)
    folder = tmp_path_factory.mktemp("containers")
    outer = containers.host(
        artifacts, archive, folder, watched_by_module.append, memory=10 * GIB, cpus=os.cpu_count() or 2,
        data_size=32 * GIB, deadline=7200.0,
    )  # fmt: skip
    node = next(outer)
    secret = base64.b64encode(os.urandom(32)).decode()
    for name in NODES:
        node.apply(pod_of_a_node(name, IMAGE, environment(name, secret)))
    for name in NODES:
        node.wait_for(f"pod/{name}", "condition=Ready", SHORT)
    yield {name: Inside(node, name) for name in NODES}
    for name in NODES:
        node.kubectl("delete", "pod", name, "--wait=false", timeout=SHORT)
    until("the containers have ended", lambda: not node.get("pods", "-l", "app=node")["items"], SHORT)
    next(outer, None)


@pytest.fixture(scope="module")
def ready(nodes: Nodes) -> Nodes:
    """Their kubelets are Ready, those of the agents by the cluster's secret alone."""
    begun = time.monotonic()
    until("all four are Ready", lambda: statuses(nodes) == dict.fromkeys(WORKERS, "True"), INNER)
    print(f"four nodes are Ready {time.monotonic() - begun:.1f} s after their containers' start")
    return nodes


def get(nodes: Nodes, *what: str) -> list[dict]:
    """Objects of the inner cluster; none while it does not answer."""
    done = nodes[SERVER].execute(*KUBECTL, "get", *what, "-o", "json")
    return json.loads(done.stdout)["items"] if done.status == 0 else []


def statuses(nodes: Nodes) -> dict[str, str]:
    """Of the inner nodes' condition Ready."""
    return {
        one["metadata"]["name"]: entry["status"]
        for one in get(nodes, "nodes")
        for entry in one["status"]["conditions"]
        if entry["type"] == "Ready"
    }


def test_each_node_is_itself_and_the_mesh_is_whole(ready: Nodes) -> None:
    """Machine-ids, keys and addresses differ, outside the range of pods, and each reaches the four others."""
    found = {name: json.loads(one.output("/usr/bin/thole", "mesh", "status", "--json")) for name, one in ready.items()}
    assert len({one["ipv4"] for one in found.values()}) == len(NODES)
    assert all(one["ipv4"].startswith("10.41.") for one in found.values()), found
    assert len({one.output("/usr/bin/thole", "node") for one in ready.values()}) == len(NODES)
    for name, one in ready.items():
        rows = doctor(one)
        assert rows["mesh"]["ok"], f"{name}: {rows['mesh']}"


def doctor(one: Inside) -> dict[str, dict]:
    """What `thole doctor` finds, by check."""
    return {row["check"]: row for row in json.loads(one.execute("/usr/bin/thole", "doctor", "--json").stdout)}


def test_nothing_of_the_host_is_missed(ready: Nodes) -> None:
    """cgroup2 with its controllers handed down, a kernel log, SLURM's own checks: on all five."""
    for name, one in ready.items():
        for check, row in doctor(one).items():
            if check in ("cgroups", "kernel log") or check.startswith(("slurm", "munge")):
                assert row["ok"], f"{name}: {row}"


@pytest.mark.parametrize(
    ("name", "services"),
    [
        (SERVER, ("containerd", "kubelet", "kube-apiserver", "mesh", "slurmctld", "munge")),
        *((name, ("containerd", "kubelet", "mesh", "slurmd", "munge")) for name in AGENTS),
        (LOGIN, ("mesh", "munge", "sackd")),
    ],
)
def test_systemctl_has_somebody_to_ask(ready: Nodes, name: str, services: tuple[str, ...]) -> None:
    """`systemctl status` and `is-active` of each service, and `is-system-running`."""
    one = ready[name]
    for service in services:
        assert "active (running)" in one.output("/usr/bin/systemctl", "status", service)
        assert one.output("/usr/bin/systemctl", "is-active", service) == "active\n"
    assert one.output("/usr/bin/systemctl", "is-system-running") == "running\n"
    failed = one.execute("/usr/bin/systemctl", "status", "dbus")
    assert failed.status == 4, failed


def test_my_echo_answers_on_every_node(ready: Nodes) -> None:
    """A Deployment of four on the inner cluster, asked by address and by name."""
    server = ready[SERVER]
    for made in (objects.deployment("my-echo", 4), objects.service("my-echo"), objects.pod("client", "sleep")):
        server.node.kubectl(
            "exec", "-i", SERVER, "--", *KUBECTL, "apply", "--server-side", "--validate=false", "-f", "-",
            stdin=json.dumps(made), timeout=SHORT,
        )  # fmt: skip
    server.output(*KUBECTL, "rollout", "status", "deployment/my-echo", f"--timeout={ROLLOUT}s", timeout=ROLLOUT + 30)
    server.output(*KUBECTL, "wait", "pod/client", "--for=condition=Ready", f"--timeout={ROLLOUT}s", timeout=ROLLOUT + 30)
    pods = get(ready, "pods", "-l", "app=my-echo")
    names = {one["metadata"]["name"] for one in pods}
    for one in pods:
        url = f"http://{one['status']['podIP']}:{objects.PORT}/"
        assert fetch(server, url) == one["metadata"]["name"], url
    until("its name is answered", lambda: fetch(server, "http://my-echo/") in names, ROLLOUT)


def fetch(server: Inside, url: str) -> str:
    """What a pod of the inner cluster gets from a URL: its first word names who answers."""
    done = server.execute(*KUBECTL, "exec", "client", "--", objects.DEMO, "fetch", url)
    return done.stdout.split(" ")[0]


def test_slurm_runs_jobs_from_the_login_node(ready: Nodes) -> None:
    """sinfo, sbatch and squeue there; the job runs on all three agents, and nothing asks for a bus."""
    slurm = Slurm(ready[LOGIN].execute)
    print(f"idle after {slurm.wait_nodes(dict.fromkeys(AGENTS, 'idle'), INNER):.1f} s")
    job = slurm.submit("srun hostname | sort > /tmp/hosts; cat /proc/self/cgroup >> /tmp/hosts", "--nodes=3")
    assert slurm.wait(job, JOB) == "COMPLETED", slurm.detail(job)
    host = slurm.batch_host(job)
    said = ready[host].output("/usr/bin/cat", "/tmp/hosts")
    assert said.split()[:3] == list(AGENTS), said
    assert f"/system.slice/{host}_slurmstepd.scope/job_{job}/" in said, said
    for name, service in ((SERVER, "slurmctld"), *((agent, "slurmd") for agent in AGENTS)):
        log = ready[name].output("/usr/bin/thole", "logs", "-n", "1000", service)
        assert "dbus" not in log.lower() and "Cannot initialize cgroup" not in log, f"{name}: {log}"


