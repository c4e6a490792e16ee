"""The container image as a privileged pod on a node of ours: a node in a node, whose own kubelet becomes Ready."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from vm.tools import throwaway

from qemu.artifacts import Artifacts, one
from qemu.checks.survival import until
from qemu.node import Node
from qemu.vm import GIB, Vm

READY, INNER, SHORT = 900.0, 1500.0, 300
IMAGE = "localhost/thole/node:kubernetes"
DISK = "/dev/vdc"
# Other ranges than those of the node around it.
ENVIRONMENT = {
    "NODE_NAME": "inner",
    "NODE_K3S_ENABLED": "true",
    "NODE_BOOTSTRAP": "true",
    "THOLE_KUBERNETES_POD_RANGE": "10.44.0.0/16",
    "THOLE_KUBERNETES_SERVICE_RANGE": "10.45.0.0/16",
}
pytestmark = pytest.mark.long


def pod_of_a_node(name: str, environment: dict[str, str], privileged: bool = True) -> dict[str, Any]:
    """A pod that is a node, as docs/container.md has it."""
    folders = {"var": "/var", "run": "/run", "tmp": "/tmp"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 30,
            "containers": [
                {
                    "name": "node",
                    "image": IMAGE,
                    "imagePullPolicy": "Never",
                    "securityContext": {"privileged": privileged},
                    "env": [{"name": key, "value": value} for key, value in environment.items()],
                    "volumeMounts": [{"name": key, "mountPath": path} for key, path in folders.items()],
                }
            ],
            "volumes": [
                {"name": key, "emptyDir": {} if key == "var" else {"medium": "Memory"}} for key in folders
            ],
        },
    }


@pytest.fixture(scope="module")
def outer(
    artifacts: Artifacts,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    watched_by_module: list[Vm],
) -> Iterator[Node]:
    """A node with the image in its store, and a pod `inner` that is a node."""
    archive = one(Path(request.config.getoption("--build")), "oci.tar")
    extra = [
        "-blockdev", f"driver=raw,node-name=oci,read-only=on,file.driver=file,file.filename={archive}",
        "-device", "virtio-blk-pci,drive=oci,serial=oci",
    ]  # fmt: skip
    folder = tmp_path_factory.mktemp("container")
    vm = Vm(throwaway(artifacts, folder / "vm", name="outer", extra=extra, memory=4 * GIB, cpus=2, deadline=3600))
    watched_by_module.append(vm)
    node = Node(vm.start())
    print(f"Ready {node.wait_ready(READY):.1f} s after power-on")
    node.wait_takes_pods(READY)
    start = time.monotonic()
    node.agent.check_output(("/usr/bin/ctr", "-n", "k8s.io", "images", "import", DISK), 900)
    print(f"image imported in {time.monotonic() - start:.1f} s")
    node.apply(pod_of_a_node("inner", ENVIRONMENT))
    node.wait_for("pod/inner", "condition=Ready", SHORT)
    yield node
    node.poweroff(90)
    vm.console.check()


def inside(node: Node, *words: str, pod: str = "inner", timeout: float = SHORT) -> tuple[int, str]:
    """A command in the container: its exit status and output."""
    done = node.run_kubectl("exec", pod, "--", *words, timeout=timeout)
    return done.returncode, done.stdout + done.stderr


def test_the_kubelet_in_the_container_is_ready(outer: Node) -> None:
    """All units run; systemctl has somebody to ask; the inner cluster's node is Ready under the name of NODE_NAME."""
    until("the inner node is well", lambda: inside(outer, "/usr/bin/thole", "health")[0] == 0, INNER)
    assert inside(outer, "/usr/bin/systemctl", "is-system-running") == (0, "running\n")
    status, said = inside(outer, "/usr/bin/systemctl", "status", "kubelet")
    assert status == 0 and "active" in said, said
    kubectl = ("/usr/bin/kubectl", "--kubeconfig=/etc/kubernetes/admin.conf")
    until(
        "the inner kubelet is Ready",
        lambda: " Ready " in inside(outer, *kubectl, "get", "node", "inner")[1],
        INNER,
    )


def test_what_the_reports_missed_is_there(outer: Node) -> None:
    """cgroup2 with every controller that slurmd and kubelet want, a kernel log device, shared mounts, one identity."""
    controllers = inside(outer, "/usr/bin/thole", "doctor")[1]
    assert "WRONG" not in "\n".join(
        line for line in controllers.splitlines() if "cgroups" in line or "kernel log" in line
    ), controllers
    outer_id = outer.agent.read_text("/etc/machine-id").strip()
    said = inside(outer, "/usr/bin/thole", "node")[1]
    assert "inner" in said and outer_id not in said, said


def test_it_stops_in_order_by_its_signal(outer: Node) -> None:
    """Deleting the pod sends the image's stop signal: PID 1 ends with 0 before the grace period is over."""
    outer.kubectl("delete", "pod", "inner", "--wait=false", timeout=SHORT)
    until(
        "the pod is gone",
        lambda: not [one for one in outer.get("pods")["items"] if one["metadata"]["name"] == "inner"],
        SHORT,
    )
    leftovers = outer.agent.read_text("/proc/mounts")
    assert "10.44" not in leftovers


def test_without_privileges_it_says_what_is_missing(outer: Node) -> None:
    """It still supervises: units that need no right run, and the console names the rights."""
    outer.apply(pod_of_a_node("plain", {"THOLE_KUBERNETES_ENABLED": "no"}, privileged=False))
    outer.wait_for("pod/plain", "condition=Ready", SHORT)
    until("it has said so", lambda: "cgroup" in outer.kubectl("logs", "plain", timeout=SHORT), SHORT)
    status, said = inside(outer, "/usr/bin/thole", "status", pod="plain")
    assert status == 0, said
