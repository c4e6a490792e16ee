"""A server and two agents over the mesh: they join by the cluster's secret alone, and are one cluster.

Timings are printed, never asserted.
"""

from __future__ import annotations

import base64
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from vm.kubernetes import SHORT, answers, client_on, conditions, fetch, nodes_of, pods_of, routed, spread
from vm.tools import throwaway_cluster

from qemu.artifacts import Artifacts
from qemu.checks import objects
from qemu.checks.survival import until
from qemu.cluster import capture, frames, mesh
from qemu.cluster.cluster import Cluster, Member
from qemu.node import Node
from qemu.vm import GIB, Vm

NODES = ["node1", "node2", "node3"]
AGENTS = NODES[1:]
READY, ROLLOUT = 900.0, 420
DEADLINE = 3600.0
TUNNEL, HELLO = 51871, 51872
KUBERNETES = ("/usr/bin/thole", "kubernetes")
# Pods move before a node goes down; on a machine with few processors that takes longer than the usual 30 s.
DRAIN = "2m"
POWEROFF = 200
KUBELET_PAIR = "/var/lib/kubelet/pki/kubelet-client-current.pem"


@pytest.fixture(scope="module")
def cluster(
    artifacts: Artifacts, tmp_path_factory: pytest.TempPathFactory, watched_by_module: list[Vm]
) -> Iterator[Cluster]:
    """One server and two agents, captured from their start on."""
    folder = tmp_path_factory.mktemp("kubernetes")
    spec = throwaway_cluster(
        artifacts, folder, nodes=3, kubernetes=True, mesh=True, uplink=True, memory=2 * GIB, first_cpus=2,
        capture=folder / "start.pcap", deadline=DEADLINE,
        settings={
            "*": {"kubernetes.drain-timeout": DRAIN},
            **{name: {"kubernetes.role": "agent"} for name in AGENTS},
        },
    )  # fmt: skip
    with Cluster(spec, watched_by_module.append) as running:
        print(f"agents after {running.wait_agents(READY):.1f} s")
        yield running
        assert running.stop(POWEROFF) == []


@pytest.fixture(scope="module")
def server(cluster: Cluster) -> Node:
    """The server, for kubectl; all nodes are Ready."""
    node = cluster.nodes["node1"].node
    print(f"server Ready {node.wait_ready(READY):.1f} s after power-on")
    wait_all_ready(node)
    print(f"agents Ready {time.monotonic() - node.started:.1f} s after power-on")
    node.wait_takes_pods(READY)
    return node


def wait_all_ready(node: Node, timeout: float = READY) -> None:
    """Until all three are."""
    until(
        "all nodes are Ready",
        lambda: conditions(node) == dict.fromkeys(NODES, "True"),
        timeout,
    )


def test_nodes_join_and_are_known_by_their_mesh_addresses(cluster: Cluster, server: Node) -> None:
    """All are Ready, each under its address in the mesh and with a pod range of its own that is routed to it."""
    ranges = {}
    for one in server.get("nodes")["items"]:
        name = one["metadata"]["name"]
        own = {entry["address"] for entry in one["status"]["addresses"] if entry["type"] == "InternalIP"}
        assert (mesh.status(cluster.nodes[name]) or {})["ipv4"] in own
        ranges[name] = one["spec"]["podCIDR"]
    assert len(set(ranges.values())) == len(NODES), ranges
    for member in cluster.nodes.values():
        others = {ranges[name] for name in NODES if name != member.name}
        until(
            f"{member.name} has routes to the other nodes' pods",
            lambda member=member, others=others: others <= routed(member),
            SHORT,
        )


def test_pods_on_all_nodes_reach_each_other(server: Node) -> None:
    """`my-echo` on three nodes, answered by pod address, Service and DNS name for a client on each node."""
    server.apply(spread("my-echo", 3), objects.service("my-echo"), *(client_on(name) for name in NODES))
    for words in (("deployment/my-echo",), ("deployment/coredns", "-n", "kube-system")):
        server.kubectl("rollout", "status", *words, f"--timeout={ROLLOUT}s", timeout=ROLLOUT + 30)
    pods = pods_of(server, "my-echo")
    assert {one["spec"]["nodeName"] for one in pods} == set(NODES)
    names = {one["metadata"]["name"] for one in pods}
    service = server.get("service", "my-echo")["spec"]["clusterIP"]
    for name in NODES:
        server.wait_for(f"pod/client-{name}", "condition=Ready", ROLLOUT)
        for one in pods:
            url = f"http://{one['status']['podIP']}:{objects.PORT}/"
            assert fetch(server, f"client-{name}", url) == one["metadata"]["name"], f"{name}: {url}"
        for host in (service, "my-echo", "my-echo.default.svc.cluster.local"):
            assert fetch(server, f"client-{name}", f"http://{host}/") in names, f"{name}: {host}"


def test_logs_of_pods_on_agents(server: Node) -> None:
    """The API server trusts what an agent's kubelet shows: a certificate that was approved for its own names."""
    for one in pods_of(server, "my-echo"):
        assert server.kubectl("logs", one["metadata"]["name"], timeout=SHORT).strip()


@pytest.mark.long
def test_a_certificate_for_another_node_is_not_approved(cluster: Cluster, server: Node, tmp_path: Path) -> None:
    """node2, with its own rights, asks for a serving certificate with node3's name."""
    request = serving_request(tmp_path, "node2", "DNS:node3")
    made = as_node(cluster.nodes["node2"], server, tmp_path, request)
    assert made.returncode == 0, made.stderr
    until(
        "the approver says why not",
        lambda: (
            "the name node3 is not that of node2"
            in cluster.nodes["node1"].output("/usr/bin/thole", "logs", "-n", "400", "kube-controller-manager")
        ),
        SHORT,
    )
    stolen = server.get("certificatesigningrequest", "stolen")
    assert not stolen.get("status"), stolen["status"]
    server.kubectl("delete", "certificatesigningrequest", "stolen")


def serving_request(folder: Path, node: str, names: str) -> dict[str, Any]:
    """A CertificateSigningRequest of a node for these names."""
    csr = subprocess.run(
        ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-keyout", folder / "key", "-subj", f"/O=system:nodes/CN=system:node:{node}",
         "-addext", f"subjectAltName={names}"],
        capture_output=True, check=True,
    ).stdout  # fmt: skip
    return {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": "stolen"},
        "spec": {
            "request": base64.b64encode(csr).decode(),
            "signerName": "kubernetes.io/kubelet-serving",
            "usages": ["digital signature", "server auth"],
        },
    }


def as_node(
    member: Member, server: Node, folder: Path, made: dict[str, Any]
) -> subprocess.CompletedProcess[str]:
    """Create an object with a node's own certificate."""
    pair = base64.b64encode(member.read(KUBELET_PAIR).encode()).decode()
    config = json.loads(server.kubectl("config", "view", "--raw", "-o", "json"))
    config["users"][0]["user"] = {"client-certificate-data": pair, "client-key-data": pair}
    path = folder / "node.kubeconfig"
    path.write_text(json.dumps(config))
    return server.run_kubectl(
        f"--kubeconfig={path}", "create", "--validate=false", "-f", "-", stdin=json.dumps(made)
    )


def test_the_outside_shows_only_the_mesh(cluster: Cluster, server: Node) -> None:
    """Nothing of Kubernetes went over the wire but within WireGuard, apart from this machine's own kubectl."""
    assert server.name == "node1"
    cluster.wire.end_capture()
    assert cluster.spec.capture
    nodes = {member.address for member in cluster.nodes.values()}
    strange = set()
    for found in capture.read(cluster.spec.capture):
        packet = frames.parse(found.frame)
        between = packet.source in nodes and packet.to in nodes
        if between and packet.protocol == frames.TCP:
            strange.add(packet.describe())
        if between and packet.protocol == frames.UDP and packet.to_port not in (TUNNEL, HELLO):
            strange.add(packet.describe())
    assert not strange, "\n".join(sorted(strange)[:20])


@pytest.mark.long
def test_the_cluster_at_a_glance(cluster: Cluster, server: Node) -> None:
    """`thole kubernetes health` on the server and on an agent: a table, and an exit status."""
    for name in ("node1", "node2"):
        table = findings(cluster.nodes[name])
        bad = [one for one in table if not one["ok"]]
        assert not bad, f"{name}: {bad}"
        assert {f"node {other}" for other in NODES} | {"API server", "DNS", "certificates"} <= {
            one["what"] for one in table
        }
    assert {"data store", "pods of node2"} <= {one["what"] for one in findings(cluster.nodes["node1"])}
    assert server.name == "node1"


def findings(member: Member) -> list[dict[str, Any]]:
    """What a node says of its cluster."""
    done = member.execute(*KUBERNETES, "health", "--json", timeout=SHORT)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    assert (done.status == 0) == all(one["ok"] for one in found)
    return found


@pytest.mark.long
def test_a_kubeconfig_that_only_reads(cluster: Cluster, server: Node, tmp_path: Path) -> None:
    """It sees pods and nodes, and neither secrets nor how to change anything."""
    made = cluster.nodes["node1"].output(*KUBERNETES, "kubeconfig", "--read-only", timeout=SHORT)
    address = cluster.nodes["node1"].address
    assert f"server: https://{address}:6443" in made
    path = tmp_path / "reader"
    path.write_text(made.replace(f"https://{address}:6443", f"https://127.0.0.1:{cluster.api_port}"))
    reader = f"--kubeconfig={path}"
    assert "node3" in server.kubectl(reader, "get", "nodes", timeout=SHORT)
    assert "my-echo" in server.kubectl(reader, "get", "pods", timeout=SHORT)
    for words in (("get", "secrets", "-A"), ("delete", "pod", "client-node1")):
        refused = server.run_kubectl(reader, *words, timeout=SHORT)
        assert refused.returncode != 0 and "forbidden" in refused.stderr, refused
    # kubectl says why, and ends with 0 all the same.
    assert "forbidden" in server.run_kubectl(reader, "cordon", "node2", timeout=SHORT).stderr
    assert "unschedulable" not in server.get("node", "node2")["spec"]
    asked = cluster.nodes["node2"].execute(*KUBERNETES, "kubeconfig")
    assert asked.status == 1 and "ask a server" in asked.output


@pytest.mark.long
def test_a_drained_agent_takes_pods_again_when_asked(cluster: Cluster, server: Node) -> None:
    """By its own rights, from the node itself."""
    member = cluster.nodes["node2"]
    member.output(*KUBERNETES, "drain", timeout=ROLLOUT)
    assert server.get("node", "node2")["spec"]["unschedulable"]
    assert not [one for one in server.get("pods")["items"] if one["spec"]["nodeName"] == "node2"]
    member.output(*KUBERNETES, "join", timeout=SHORT)
    assert not server.get("node", "node2")["spec"].get("unschedulable")
    server.apply(client_on("node2"))
    server.wait_for("pod/client-node2", "condition=Ready", ROLLOUT)


@pytest.mark.long
def test_pods_move_before_an_agent_powers_off(cluster: Cluster, server: Node) -> None:
    """node3 goes down in order: its pods run elsewhere before it is off; back again, it takes pods."""
    until("node3 has a pod of my-echo", lambda: "node3" in nodes_of(server, "my-echo"), SHORT)
    print(f"off after {cluster.nodes['node3'].node.poweroff(POWEROFF):.1f} s")
    left = [one for one in server.get("pods")["items"] if one["spec"]["nodeName"] == "node3"]
    assert not left, [one["metadata"]["name"] for one in left]
    cluster.start("node3").wait(READY)
    wait_all_ready(server)
    until("node3 takes pods again", lambda: not server.get("node", "node3")["spec"].get("unschedulable"), READY)
    server.apply(client_on("node3"))
    server.wait_for("pod/client-node3", "condition=Ready", ROLLOUT)


@pytest.mark.long
def test_pods_go_on_while_the_server_reboots(cluster: Cluster, server: Node) -> None:
    """The server's reboot ends no container on an agent; afterwards all is Ready again."""
    before = {
        one["metadata"]["name"]: objects.container_id(one)
        for one in pods_of(server, "my-echo")
        if one["spec"]["nodeName"] != "node1"
    }
    print(f"server off after {cluster.nodes['node1'].node.poweroff(POWEROFF):.1f} s")
    cluster.start("node1").wait(READY)
    print(f"Ready again {cluster.nodes['node1'].node.wait_ready(READY):.1f} s after power-on")
    wait_all_ready(server)
    after = {one["metadata"]["name"]: objects.container_id(one) for one in pods_of(server, "my-echo")}
    for name, container in before.items():
        assert after.get(name) == container, f"{name} was started anew"
    for name in AGENTS:
        # The name server was on the server, and starts again with it.
        until(f"the Service answers {name}", lambda name=name: answers(server, f"client-{name}"), READY)


@pytest.mark.long
def test_a_killed_agent_is_noticed_and_comes_back(cluster: Cluster, server: Node) -> None:
    """node3 loses its power: it is not Ready, its pods move, and it returns as the node that it was."""
    uid = server.get("node", "node3")["metadata"]["uid"]
    start = time.monotonic()
    cluster.kill("node3")
    until("node3 is not Ready", lambda: conditions(server)["node3"] != "True", READY)
    print(f"not Ready after {time.monotonic() - start:.1f} s")
    until(
        "its pod runs elsewhere",
        lambda: sum(1 for one in pods_of(server, "my-echo") if one["spec"]["nodeName"] != "node3") == 3,
        READY,
    )
    print(f"its pod moved after {time.monotonic() - start:.1f} s")
    cluster.start("node3").wait(READY)
    wait_all_ready(server)
    assert server.get("node", "node3")["metadata"]["uid"] == uid
    assert server.get("node", "node2")["metadata"]["uid"] != uid


@pytest.mark.long
def test_a_node_made_anew_joins_again(cluster: Cluster, server: Node) -> None:
    """node2 with an empty disk, and nothing but the secret, takes its name's place again."""
    cluster.kill("node2")
    boot = server.get("node", "node2")["status"]["nodeInfo"]["bootID"]
    cluster.remake("node2").wait(READY)
    until(
        "node2 is Ready in its new boot",
        lambda: (
            conditions(server)["node2"] == "True"
            and server.get("node", "node2")["status"]["nodeInfo"]["bootID"] != boot
        ),
        READY,
    )
    server.apply(client_on("node2", "client-again"))
    server.wait_for("pod/client-again", "condition=Ready", ROLLOUT)
    until("it reaches pods", lambda: answers(server, "client-again"), SHORT)


@pytest.mark.long
def test_an_agent_leaves_and_comes_back(cluster: Cluster, server: Node) -> None:
    """It takes itself out of the cluster, stays out over a reboot, and joins when asked."""
    member = cluster.nodes["node3"]
    said = member.output(*KUBERNETES, "leave", timeout=ROLLOUT)
    assert "this node has left" in said
    assert "node3" not in conditions(server)
    member.node.poweroff(POWEROFF)
    cluster.start("node3").wait(READY)
    member.node.wait_running(READY)
    assert "node3" not in conditions(server)
    member.output(*KUBERNETES, "join", timeout=READY)
    wait_all_ready(server)
    refused = cluster.nodes["node1"].execute(*KUBERNETES, "leave")
    assert refused.status == 1 and "without it there is no cluster" in refused.output
