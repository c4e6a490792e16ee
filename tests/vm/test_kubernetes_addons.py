"""What comes with a cluster: the metrics API, volumes of the node, NetworkPolicies."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from vm.tools import throwaway

from qemu.artifacts import Artifacts
from qemu.checks import objects
from qemu.checks.survival import until
from qemu.node import Node
from qemu.vm import GIB, Vm

READY, SHORT = 900.0, 300
CLAIM, PLACE = "kept", "/kept"
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def node(
    artifacts: Artifacts, tmp_path_factory: pytest.TempPathFactory, watched_by_module: list[Vm]
) -> Iterator[Node]:
    """One node that takes pods."""
    folder = tmp_path_factory.mktemp("addons")
    ini = folder / "node.ini"
    ini.write_text("")
    vm = Vm(throwaway(artifacts, folder / "vm", name="addons", node_config=ini, memory=3 * GIB, deadline=3600))
    watched_by_module.append(vm)
    node = Node(vm.start())
    print(f"Ready {node.wait_ready(READY):.1f} s after power-on")
    node.wait_takes_pods(READY)
    yield node
    if vm.alive():
        node.poweroff(60)
    vm.console.check()


def test_all_units_run(node: Node) -> None:
    """None of them failed on the way, and the API server calls the metrics API available."""
    until("all units run", lambda: node.agent.execute(("/usr/bin/thole", "health")).status == 0, READY)
    node.wait_for("apiservice/v1beta1.metrics.k8s.io", "condition=Available", READY)


def test_kubectl_top(node: Node) -> None:
    """What the node and its pods use, by the kubelet's certificate that the cluster's authority vouches for."""
    until("the node has figures", lambda: node.name in top(node, "nodes"), READY)
    words = top(node, "nodes").splitlines()[-1].split()
    assert words[0] == node.name and words[1].endswith("m") and words[3].endswith("Mi"), words
    until("pods have figures", lambda: "coredns" in top(node, "pods", "-n", "kube-system"), READY)


def top(node: Node, *words: str) -> str:
    """What kubectl top prints, and what it complains of."""
    done = node.run_kubectl("top", *words, timeout=SHORT)
    return done.stdout + done.stderr


def test_a_volume_outlives_its_pod(node: Node) -> None:
    """What one pod wrote the next one reads; with the claim the folder goes."""
    node.apply(claim(), user_of_volume("first", "sleep"))
    node.wait_for("pod/first", "condition=Ready", READY)
    volume = node.get("persistentvolumeclaim", CLAIM)["spec"]["volumeName"]
    folder = node.get("persistentvolume", volume)["spec"]["hostPath"]["path"]
    node.agent.write_file(f"{folder}/text", b"what the first pod left\n")
    node.kubectl("delete", "pod", "first", "--now", timeout=SHORT)
    node.apply(user_of_volume("second", "serve", "--directory", PLACE))
    node.wait_for("pod/second", "condition=Ready", SHORT)
    address = node.get("pod", "second")["status"]["podIP"]
    node.apply(objects.pod("reader", "sleep"))
    node.wait_for("pod/reader", "condition=Ready", SHORT)
    until("the second pod has it", lambda: "what the first pod left" in fetch(node, "reader", address, "text"), SHORT)
    node.kubectl("delete", "pod", "second", "--now", timeout=SHORT)
    node.kubectl("delete", "persistentvolumeclaim", CLAIM, timeout=SHORT)
    until("the folder is gone", lambda: not node.agent.exists(folder), SHORT)


def claim() -> dict[str, Any]:
    """Of the default storage class."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": CLAIM},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "64Mi"}}},
    }


def user_of_volume(name: str, *arguments: str) -> objects.Object:
    """A pod that has the claim's volume."""
    made = objects.pod(name, *arguments, volumeMounts=[{"name": CLAIM, "mountPath": PLACE}])
    made["spec"]["volumes"] = [{"name": CLAIM, "persistentVolumeClaim": {"claimName": CLAIM}}]
    return made


def fetch(node: Node, client: str, address: str, path: str = "") -> str:
    """What a pod gets of another by its address; nothing where it gets none."""
    url = f"http://{address}:{objects.PORT}/{path}"
    done = node.run_kubectl("exec", client, "--", objects.DEMO, "fetch", "--timeout", "5s", url, timeout=SHORT)
    return done.stdout if done.returncode == 0 else ""


def test_a_network_policy_denies(node: Node) -> None:
    """Who is not named is not let in; without the policy all are again. Other pods are not touched."""
    node.apply(*(objects.pod(name, "serve") for name in ("guarded", "open")))
    node.apply(*(objects.pod(name, "sleep") for name in ("friend", "stranger")))
    for name in ("guarded", "open", "friend", "stranger"):
        node.wait_for(f"pod/{name}", "condition=Ready", SHORT)
    addresses = {name: node.get("pod", name)["status"]["podIP"] for name in ("guarded", "open")}
    for name in ("friend", "stranger"):
        until(f"{name} reaches it", lambda name=name: "guarded" in fetch(node, name, addresses["guarded"]), SHORT)
    node.apply(policy())
    until("strangers are kept out", lambda: not fetch(node, "stranger", addresses["guarded"]), SHORT)
    assert "guarded" in fetch(node, "friend", addresses["guarded"])
    assert "open" in fetch(node, "stranger", addresses["open"])
    # After a restart it keeps them again.
    node.agent.check_output(("/usr/bin/thole", "restart", "kube-network-policies"), SHORT)
    until("friends are let in again", lambda: "guarded" in fetch(node, "friend", addresses["guarded"]), SHORT)
    until("strangers are kept out again", lambda: not fetch(node, "stranger", addresses["guarded"]), SHORT)
    node.kubectl("delete", "networkpolicy", "friends-only", timeout=SHORT)
    until("all are let in", lambda: "guarded" in fetch(node, "stranger", addresses["guarded"]), SHORT)


def policy() -> dict[str, Any]:
    """Only `friend` may reach `guarded`."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "friends-only"},
        "spec": {
            "podSelector": {"matchLabels": {"app": "guarded"}},
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "friend"}}}]}],
        },
    }


def test_what_is_switched_off_is_taken_away(node: Node, tmp_path: Path, watched: list[Vm]) -> None:
    """At the server's next boot; what is not switched off stays."""
    node.poweroff(60)
    ini = tmp_path / "node.ini"
    ini.write_text("[kubernetes]\nmetrics = no\nnetwork-policy = no\n")
    vm = Vm(dataclasses.replace(node.vm.config, node_config=ini, folder=tmp_path / "vm", data_disk=node.vm.config.data))
    watched.append(vm)
    again = Node(vm.start())
    again.wait_ready(READY)
    until(
        "the metrics API is gone",
        lambda: "NotFound" in again.run_kubectl("get", "apiservice", "v1beta1.metrics.k8s.io").stderr,
        READY,
    )
    until(
        "nodes may not read policies any more",
        lambda: "NotFound" in again.run_kubectl("get", "clusterrole", "thole:network-policy").stderr,
        READY,
    )
    assert again.get("storageclass", "local-path")["provisioner"] == "rancher.io/local-path"
    status = again.agent.execute(("/usr/bin/thole", "status")).stdout
    assert "local-path-provisioner" in status
    assert again.agent.execute(("/usr/bin/systemctl", "is-active", "metrics-server")).status != 0
    again.poweroff(60)
    vm.console.check()
