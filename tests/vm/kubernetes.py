"""What the tests of clusters ask of Kubernetes: nodes, and the pods of a Deployment that is spread over them."""

from __future__ import annotations

from typing import Any

from qemu.checks import objects
from qemu.cluster.cluster import Member
from qemu.node import Node

SHORT = 180


def conditions(node: Node) -> dict[str, str]:
    """Each node's condition Ready."""
    return {
        one["metadata"]["name"]: next(
            entry["status"] for entry in one["status"]["conditions"] if entry["type"] == "Ready"
        )
        for one in node.get("nodes")["items"]
    }


def spread(name: str, replicas: int) -> objects.Object:
    """A Deployment with its pods on different nodes."""
    made = objects.deployment(name, replicas)
    made["spec"]["template"]["spec"] |= {
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": {"app": name}},
            }
        ],
        # Pods leave a node that is gone after seconds, not after five minutes.
        "tolerations": [
            {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}
            for key in ("node.kubernetes.io/unreachable", "node.kubernetes.io/not-ready")
        ],
    }
    return made


def pods_of(node: Node, name: str) -> list[dict[str, Any]]:
    """The running pods of a Deployment."""
    items = node.get("pods", "-l", f"app={name}")["items"]
    return [one for one in items if one["status"].get("podIP") and "deletionTimestamp" not in one["metadata"]]


def nodes_of(server: Node, application: str) -> set[str]:
    """Where its pods are."""
    return {one["spec"]["nodeName"] for one in pods_of(server, application)}


def fetch(node: Node, client: str, url: str) -> str:
    """What the pod `client` gets from a URL: its first word names who answers."""
    return node.kubectl("exec", client, "--", objects.DEMO, "fetch", url, timeout=SHORT).split(" ")[0]


def routed(member: Member) -> set[str]:
    """What is routed through the mesh, from /proc/net/route."""
    found = set()
    for line in member.read("/proc/net/route").splitlines()[1:]:
        words = line.split()
        if words[0] == "wg0":
            address = ".".join(str(byte) for byte in bytes.fromhex(words[1])[::-1])
            found.add(f"{address}/{int(words[7], 16).bit_count()}")
    return found


def client_on(name: str, pod: str = "") -> objects.Object:
    """A pod on that node."""
    client = objects.pod(pod or f"client-{name}", "sleep")
    client["spec"]["nodeName"] = name
    return client


def answers(node: Node, client: str) -> bool:
    """Whether the Service of my-echo answers a pod by name."""
    done = node.run_kubectl("exec", client, "--", objects.DEMO, "fetch", "http://my-echo/", timeout=SHORT)
    return done.returncode == 0
