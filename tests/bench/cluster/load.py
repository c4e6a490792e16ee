"""What is asked of a running node: memory part by part, how fast a pod starts, and a hundred at once."""

from __future__ import annotations

import re
import statistics
import time

from bench.measures import latency
from bench.supervisors import Results
from driver.errors import TholeError
from qemu.checks import objects
from qemu.checks.survival import until
from qemu.node import Node

LIMIT = 3600.0
MOST_PIDS = 6000
_PSS = re.compile(r"^Pss: +(\d+) kB$", re.MULTILINE)
_MACHINE = re.compile(r"^(Mem\w+): +(\d+) kB$", re.MULTILINE)
# Process names (15 letters at most) to the part that they are; what is no part is the system's own.
PARTS = {
    "kine": "kine", "kube-apiserver": "kube-apiserver", "kube-controller": "kube-controller-manager",
    "kube-scheduler": "kube-scheduler", "kubelet": "kubelet", "kube-proxy": "kube-proxy", "containerd": "containerd",
    "metrics-server": "metrics-server", "local-path-prov": "local-path-provisioner", "kube-network-po": "kube-network-policies",
}  # fmt: skip
PODS = ("coredns", "pause", "containerd-shim", "demo")


def memory(node: Node) -> Results:
    """PSS of each part, of the system's own processes, and what the machine has not left, in MB."""
    names = node.agent.read_many([f"/proc/{pid}/comm" for pid in range(1, MOST_PIDS)])
    sizes = node.agent.read_many([path.replace("/comm", "/smaps_rollup") for path in names])
    found: dict[str, float] = {}
    for path, name in names.items():
        match = _PSS.search(sizes.get(path.replace("/comm", "/smaps_rollup"), ""))
        if match and int(match[1]):
            part = part_of(name.strip())
            found[part] = found.get(part, 0.0) + int(match[1]) / 1000
    machine = {key: int(size) for key, size in _MACHINE.findall(node.agent.read_text("/proc/meminfo"))}
    if "kubelet" not in found or len(machine) < 2:
        raise TholeError(f"{node.name} said nothing of its memory: {found}", "see tests/bench/cluster/load.py")
    return {
        **found,
        "all": sum(size for part, size in found.items() if part != "pods"),
        "used": (machine["MemTotal"] - machine["MemAvailable"]) / 1000,
    }


def part_of(name: str) -> str:
    """Which line of the table a process belongs to."""
    if name.startswith(PODS):
        return "pods"
    return PARTS.get(name, "system")


def pod_starts(node: Node, rounds: int) -> Results:
    """Seconds from the submission of a pod whose image is there to Running, one pod after the other."""
    times = []
    for turn in range(rounds):
        name = f"bench-{turn}"
        begun = time.monotonic()
        node.apply(objects.pod(name, "sleep"))
        node.wait_for(f"pod/{name}", "jsonpath={.status.phase}=Running", LIMIT)
        times.append(time.monotonic() - begun)
        node.kubectl("delete", "pod", name, "--now", timeout=LIMIT)
    median, p95 = latency(times)
    return {"pod": median, "pod p95": p95}


def many_pods(node: Node, count: int) -> Results:
    """Seconds until so many pods of one Deployment run on the node, and what the node takes then, in MB."""
    made = objects.deployment("many", count)
    made["spec"]["template"]["spec"]["nodeName"] = node.name
    container = made["spec"]["template"]["spec"]["containers"][0]
    container.pop("readinessProbe")
    container.pop("resources")
    container["command"] = [objects.DEMO, "sleep"]
    begun = time.monotonic()
    node.apply(made)
    until("all pods run", lambda: running(node) >= count, LIMIT)
    taken = time.monotonic() - begun
    used = memory(node)["all"]
    node.kubectl("delete", "deployment", "many", "--wait=false", timeout=LIMIT)
    until("all pods are gone", lambda: running(node) == 0, LIMIT)
    return {"many": taken, "many used": used}


def running(node: Node) -> int:
    """Pods of that Deployment that run."""
    done = node.run_kubectl(
        "get", "pods", "-l", "app=many", "--field-selector=status.phase=Running", "-o", "name", timeout=120
    )
    return len(done.stdout.split()) if done.returncode == 0 else -1


def middle(values: list[float]) -> float:
    """The median."""
    return statistics.median(values)
