"""A server and an agent whose pods and Services have addresses of both families."""

from __future__ import annotations

from pathlib import Path

import pytest
from vm.kubernetes import SHORT, client_on, conditions, fetch, pods_of, spread
from vm.tools import throwaway_cluster

from qemu.artifacts import Artifacts
from qemu.checks import objects
from qemu.checks.survival import until
from qemu.cluster.cluster import Cluster
from qemu.node import Node
from qemu.vm import GIB, Vm

NODES = ["node1", "node2"]
READY, ROLLOUT, POWEROFF = 900.0, 420, 90
RANGES = {
    "kubernetes.pod-range": "10.42.0.0/16 fd42::/48",
    "kubernetes.service-range": "10.43.0.0/16 fd43::/112",
}
pytestmark = pytest.mark.long


def test_pods_have_addresses_of_both_families(artifacts: Artifacts, tmp_path: Path, watched: list[Vm]) -> None:
    """Each pod and a Service answer by IPv6 on both nodes, over the mesh; nodes are known by both of theirs."""
    spec = throwaway_cluster(
        artifacts, tmp_path, nodes=2, kubernetes=True, mesh=True, uplink=True, memory=2 * GIB, first_cpus=2, deadline=2400.0,
        settings={"*": RANGES, "node2": {"kubernetes.role": "agent"}},
    )  # fmt: skip
    with Cluster(spec, watched.append) as cluster:
        cluster.wait_agents(READY)
        server = cluster.nodes["node1"].node
        server.wait_ready(READY)
        until("both are Ready", lambda: conditions(server) == dict.fromkeys(NODES, "True"), READY)
        server.wait_takes_pods(READY)
        check_both(server)
        assert cluster.stop(POWEROFF) == []


def check_both(server: Node) -> None:
    """Pods on both nodes, asked from both."""
    service = objects.service("both")
    service["spec"] |= {"selector": {"app": "my-echo"}, "ipFamilyPolicy": "RequireDualStack"}
    server.apply(spread("my-echo", 2), service, *(client_on(name) for name in NODES))
    server.kubectl("rollout", "status", "deployment/my-echo", f"--timeout={ROLLOUT}s", timeout=ROLLOUT + 30)
    for one in server.get("nodes")["items"]:
        own = [entry["address"] for entry in one["status"]["addresses"] if entry["type"] == "InternalIP"]
        assert len(own) == 2, own
    pods = pods_of(server, "my-echo")
    names = {one["metadata"]["name"] for one in pods}
    by_name = server.get("service", "both")["spec"]["clusterIPs"][1]
    for name in NODES:
        server.wait_for(f"pod/client-{name}", "condition=Ready", SHORT)
        for one in pods:
            address = one["status"]["podIPs"][1]["ip"]
            assert address.startswith("fd42:"), one["status"]["podIPs"]
            url = f"http://[{address}]:{objects.PORT}/"
            assert fetch(server, f"client-{name}", url) == one["metadata"]["name"], f"{name}: {url}"
        assert fetch(server, f"client-{name}", f"http://[{by_name}]/") in names, name
