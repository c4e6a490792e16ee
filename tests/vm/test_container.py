"""The container image as a privileged pod on a node of ours: a node in a node, whose own kubelet becomes Ready."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from vm import containers
from vm.containers import SHORT, Inside, pod_of_a_node

from qemu.artifacts import Artifacts
from qemu.checks import objects
from qemu.checks.survival import until
from qemu.node import Node
from qemu.vm import Vm

INNER = 1500.0
IMAGE = "localhost/thole/node:kubernetes"
# Other ranges than those of the node around it.
ENVIRONMENT = {
    "NODE_NAME": "inner",
    "NODE_K3S_ENABLED": "true",
    "NODE_BOOTSTRAP": "true",
    "THOLE_KUBERNETES_POD_RANGE": "10.44.0.0/16",
    "THOLE_KUBERNETES_SERVICE_RANGE": "10.45.0.0/16",
}
KUBECTL = ("/usr/bin/kubectl", "--kubeconfig=/etc/kubernetes/admin.conf")
# A container that is made by runc alone.
RUNC, BUNDLE = "/usr/sbin/runc", "/var/lib/nolog"
NO_LOG = {"NODE_NAME": "nolog"}
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def outer(
    artifacts: Artifacts,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    watched_by_module: list[Vm],
) -> Iterator[Node]:
    """A node with the image in its store."""
    archive = containers.archive_of(request.config.getoption("--build"))
    folder = tmp_path_factory.mktemp("container")
    yield from containers.host(artifacts, archive, folder, watched_by_module.append)


@pytest.fixture(scope="module")
def inner(outer: Node) -> Inside:
    """A pod that is a node."""
    outer.apply(pod_of_a_node("inner", IMAGE, ENVIRONMENT))
    outer.wait_for("pod/inner", "condition=Ready", SHORT)
    return Inside(outer, "inner")


def test_the_kubelet_in_the_container_is_ready(inner: Inside) -> None:
    """All units run; systemctl has somebody to ask; the inner cluster's node is Ready under the name of NODE_NAME."""
    until("the inner node is well", lambda: inner.execute("/usr/bin/thole", "health").status == 0, INNER)
    assert inner.output("/usr/bin/systemctl", "is-system-running") == "running\n"
    assert "active" in inner.output("/usr/bin/systemctl", "status", "kubelet")
    until(
        "the inner kubelet is Ready",
        lambda: " Ready " in inner.execute(*KUBECTL, "get", "node", "inner").output,
        INNER,
    )


def test_what_the_reports_missed_is_there(outer: Node, inner: Inside) -> None:
    """cgroup2 with every controller that slurmd and kubelet want, a kernel log device, shared mounts, one identity."""
    found = json.loads(inner.execute("/usr/bin/thole", "doctor", "--json").stdout)
    bad = [row for row in found if not row["ok"] and ("cgroup" in row["check"] or "kernel log" in row["check"])]
    assert not bad, bad
    outer_id = outer.agent.read_text("/etc/machine-id").strip()
    said = inner.output("/usr/bin/thole", "node")
    assert "inner" in said and outer_id not in said, said


def test_it_stops_in_order_by_its_signal(outer: Node, inner: Inside) -> None:
    """Deleting the pod sends the image's stop signal: PID 1 ends with 0 before the grace period is over."""
    outer.kubectl("delete", "pod", inner.pod, "--wait=false", timeout=SHORT)
    until(
        "the pod is gone",
        lambda: inner.pod not in [one["metadata"]["name"] for one in outer.get("pods")["items"]],
        SHORT,
    )
    assert "10.44" not in outer.agent.read_text("/proc/mounts")


def test_without_privileges_it_says_what_is_missing(outer: Node) -> None:
    """It still supervises: units that need no right run, and the console names the rights."""
    outer.apply(pod_of_a_node("plain", IMAGE, {"THOLE_KUBERNETES_ENABLED": "no"}, privileged=False))
    outer.wait_for("pod/plain", "condition=Ready", SHORT)
    until("it has said so", lambda: "cgroup" in outer.kubectl("logs", "plain", timeout=SHORT), SHORT)
    Inside(outer, "plain").output("/usr/bin/thole", "status")
    outer.kubectl("delete", "pod", "plain", timeout=SHORT)


def test_a_node_whose_kernel_log_is_forbidden(outer: Node) -> None:
    """The device cgroup refuses /dev/kmsg, and the cgroup namespace is the container's own: the kubelet is Ready."""
    start_without_kernel_log(outer)
    until("the node is Ready", lambda: " Ready " in in_bundle(outer, *KUBECTL, "get", "nodes"), INNER)
    rows = {row["check"]: row for row in json.loads(in_bundle(outer, "/usr/bin/thole", "doctor", "--json"))}
    assert rows["kernel log"]["ok"] and "a pipe in its place" in rows["kernel log"]["detail"], rows["kernel log"]
    assert rows["cgroups"]["ok"], rows["cgroups"]
    outer.agent.check_output((RUNC, "kill", "nolog", "TERM"))
    until("it has ended", lambda: "stopped" in outer.agent.check_output((RUNC, "list")), SHORT)
    outer.agent.check_output((RUNC, "delete", "nolog"))
    outer.agent.check_output(("/usr/bin/ctr", "-n", "k8s.io", "images", "unmount", f"{BUNDLE}/rootfs"))


def in_bundle(outer: Node, *words: str) -> str:
    """What a command in the container without a kernel log prints."""
    return outer.agent.execute((RUNC, "exec", "nolog", *words), SHORT).output


def start_without_kernel_log(outer: Node) -> None:
    """A container made by hand, as no engine makes it: all rights but that to one device."""
    make_folders(outer)
    outer.agent.check_output(
        ("/usr/bin/ctr", "-n", "k8s.io", "images", "mount", "--rw", IMAGE, f"{BUNDLE}/rootfs"), SHORT
    )
    outer.agent.write_file(f"{BUNDLE}/config.json", json.dumps(bundle()).encode())
    started = outer.agent.execute((RUNC, "run", "--detach", "--bundle", BUNDLE, "nolog"), SHORT, capture=False)
    assert started.status == 0, f"runc ends with {started.status}"


def make_folders(outer: Node) -> None:
    """By a pod: the node has no program for it."""
    folders = {name: f"{BUNDLE}/{name}" for name in ("rootfs", "var")}
    mounts = [{"name": name, "mountPath": f"/{name}"} for name in folders]
    made = objects.pod("folders", "sleep", volumeMounts=mounts)
    made["spec"]["volumes"] = [
        {"name": name, "hostPath": {"path": path, "type": "DirectoryOrCreate"}} for name, path in folders.items()
    ]
    outer.apply(made)
    outer.wait_for("pod/folders", "condition=Ready", SHORT)
    outer.kubectl("delete", "pod", "folders", timeout=SHORT)


def bundle() -> dict[str, Any]:
    """Its configuration (OCI runtime specification, config.md and config-linux.md)."""
    rights = capabilities()
    in_memory = {"type": "tmpfs", "source": "tmpfs"}
    return {
        "ociVersion": "1.2.0",
        "hostname": "nolog",
        "root": {"path": "rootfs"},
        "process": {
            "user": {"uid": 0, "gid": 0},
            "cwd": "/",
            "args": ["/sbin/init"],
            "env": ["PATH=/usr/sbin:/usr/bin", *(f"{key}={value}" for key, value in (ENVIRONMENT | NO_LOG).items())],
            "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), rights),
        },
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/sys", "type": "sysfs", "source": "sysfs"},
            {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup"},
            {"destination": "/dev", **in_memory, "options": ["mode=755"]},
            {"destination": "/run", **in_memory},
            {"destination": "/tmp", **in_memory},
            {"destination": "/var", "type": "bind", "source": f"{BUNDLE}/var", "options": ["rbind", "rw"]},
        ],
        "linux": {
            "cgroupsPath": "/nolog",
            "namespaces": [
                {"type": kind} for kind in ("pid", "mount", "network", "ipc", "uts", "cgroup")
            ],
            "resources": {
                "devices": [
                    {"allow": True, "access": "rwm"},
                    {"allow": False, "type": "c", "major": 1, "minor": 11, "access": "rwm"},
                ]
            },
        },
    }  # fmt: skip


def capabilities() -> list[str]:
    """All of capabilities(7)."""
    text = """
        CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE
        NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT
        SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP
        MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"""
    return [f"CAP_{name}" for name in text.split()]
