"""What CIS' Kubernetes benchmark asks of a worker, item by item, on a node that runs; and that Secrets are not stored in clear."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from vm.cut_disk import program
from vm.tools import throwaway

from qemu.artifacts import Artifacts
from qemu.checks.survival import until
from qemu.node import Node
from qemu.vm import GIB, Vm

READY, CERTIFICATE = 900.0, 300.0
CANARY = "a-canary-that-nobody-else-writes"
# Those of TLS 1.2 that agree on a new key for each connection and seal what they send; 1.3 has no others.
STRONG = {
    f"TLS_ECDHE_{signature}_WITH_{cipher}"
    for signature in ("ECDSA", "RSA")
    for cipher in ("AES_128_GCM_SHA256", "AES_256_GCM_SHA384", "CHACHA20_POLY1305_SHA256")
}
# On the data disk, which is /var.
KEYS = (
    "/lib/kubernetes/kubelet.conf", "/lib/kubernetes/admin.conf", "/lib/kubernetes/kube-proxy.conf",
    "/lib/kubernetes/pki/ca.key", "/lib/kubernetes/pki/sa.key", "/lib/kubernetes/pki/encryption.yaml",
)  # fmt: skip
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def node(
    artifacts: Artifacts, tmp_path_factory: pytest.TempPathFactory, watched_by_module: list[Vm]
) -> Iterator[Node]:
    """One node that is Ready, with every unit up."""
    folder: Path = tmp_path_factory.mktemp("cis")
    vm = Vm(throwaway(artifacts, folder / "vm", name="cis", memory=3 * GIB, deadline=2400))
    watched_by_module.append(vm)
    node = Node(vm.start())
    node.wait_ready(READY)
    node.wait_running(READY)
    yield node
    if vm.alive():
        node.poweroff(60)
    vm.console.check()


@pytest.fixture(scope="module")
def kubelet(node: Node) -> dict[str, Any]:
    """The configuration that the kubelet itself says it has; it answers when its serving certificate is approved."""
    said: dict[str, Any] = {}

    def asked() -> bool:
        said.update(json.loads(node.kubectl("get", "--raw", f"/api/v1/nodes/{node.name}/proxy/configz", timeout=60)))
        return True

    until("the kubelet shows its configuration", asked, CERTIFICATE)
    return said["kubeletconfig"]


def test_anonymous_requests_are_refused(kubelet: dict[str, Any]) -> None:
    """4.2.1"""
    assert kubelet["authentication"]["anonymous"]["enabled"] is False


def test_the_api_server_decides_who_may(kubelet: dict[str, Any]) -> None:
    """4.2.2"""
    assert kubelet["authorization"]["mode"] == "Webhook"


def test_clients_are_known_by_the_clusters_authority(kubelet: dict[str, Any]) -> None:
    """4.2.3"""
    assert kubelet["authentication"]["x509"]["clientCAFile"] == "/etc/kubernetes/pki/ca.crt"


def test_there_is_no_port_for_everybody(kubelet: dict[str, Any], node: Node) -> None:
    """4.2.4; nor does anything listen on its usual number."""
    assert kubelet.get("readOnlyPort", 0) == 0
    assert 10255 not in listening(node)


def test_idle_streams_end(kubelet: dict[str, Any]) -> None:
    """4.2.5"""
    assert kubelet["streamingConnectionIdleTimeout"] not in ("0", "0s")


def test_packet_filters_are_kube_proxys(kubelet: dict[str, Any], node: Node) -> None:
    """4.2.6 asks for the kubelet's chains where kube-proxy needs them: ours uses nftables, and has its own."""
    assert kubelet["makeIPTablesUtilChains"] is False
    assert "mode: nftables" in node.agent.read_text("/etc/kube-proxy/config.yaml")


def test_certificates_are_the_clusters_and_rotate(kubelet: dict[str, Any]) -> None:
    """4.2.9, 4.2.10, 4.2.11"""
    assert kubelet["rotateCertificates"] is True and kubelet["serverTLSBootstrap"] is True


def test_ciphers_are_strong(kubelet: dict[str, Any]) -> None:
    """4.2.12"""
    assert kubelet["tlsMinVersion"] in ("VersionTLS12", "VersionTLS13")
    assert set(kubelet["tlsCipherSuites"]) <= STRONG


def test_pods_have_a_limit_of_processes(kubelet: dict[str, Any]) -> None:
    """4.2.13"""
    assert 0 < kubelet["podPidsLimit"] <= 32768


def test_pods_have_a_seccomp_profile(kubelet: dict[str, Any]) -> None:
    """4.2.14"""
    assert kubelet["seccompDefault"] is True


def test_the_kernel_is_as_the_kubelet_expects(kubelet: dict[str, Any]) -> None:
    """--protect-kernel-defaults"""
    assert kubelet["protectKernelDefaults"] is True


def test_kube_proxy_shows_its_figures_to_the_node_alone(node: Node) -> None:
    """4.3.1"""
    assert listening(node).get(10249) == {"127.0.0.1"}


def test_secrets_are_encrypted_in_the_data_store(node: Node) -> None:
    """1.2.27, 1.2.28: a ConfigMap can be read in the data store's file, a Secret cannot."""
    for kind, name in (("configmap", "plain"), ("secret generic", "hidden")):
        node.kubectl("create", *kind.split(), name, f"--from-literal=key={name}-{CANARY}", timeout=60)
    stored = b"".join(
        node.agent.read_file(f"/var/lib/kine/{name}")
        for name in ("state.db", "state.db-wal")
        if node.agent.exists(f"/var/lib/kine/{name}")
    )
    assert f"plain-{CANARY}".encode() in stored
    assert f"hidden-{CANARY}".encode() not in stored
    assert b"k8s:enc:secretbox:v1:key1:" in stored
    assert node.get("secret", "hidden")["data"]


def test_files_with_keys_are_for_root_alone(node: Node) -> None:
    """4.1.1 to 4.1.10, on the disk of the node when it is off."""
    node.poweroff(60)
    disk = node.vm.config.data
    for path in KEYS:
        done = subprocess.run(
            [program("debugfs"), "-R", f"stat {path}", disk], capture_output=True, text=True, check=True
        )
        mode, user = re.search(r"Mode: +(\d+)", done.stdout), re.search(r"User: +(\d+)", done.stdout)
        assert mode and user, f"{path}: {done.stdout}{done.stderr}"
        assert (mode[1], user[1]) == ("0600", "0"), f"{path} has the mode {mode[1]} and belongs to {user[1]}"


def listening(node: Node) -> dict[int, set[str]]:
    """TCP ports with the IPv4 addresses at which something listens; "::" for IPv6."""
    found: dict[int, set[str]] = {}
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in node.agent.read_text(path).splitlines()[1:]:
            words = line.split()
            if words[3] == "0A":
                address, _, port = words[1].partition(":")
                text = ".".join(str(byte) for byte in bytes.fromhex(address)[::-1]) if path.endswith("tcp") else "::"
                found.setdefault(int(port, 16), set()).add(text)
    return found
