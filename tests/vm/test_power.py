"""Every way to end a node ends it in order: within its time, with clean file systems and a quiet console."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from vm.tools import terminator, throwaway

from qemu.artifacts import Artifacts
from qemu.checks.objects import Object, pod
from qemu.images import check_ext4
from qemu.node import POWEROFF_LIMIT, Node
from qemu.qmp import CTRL_ALT_DELETE
from qemu.vm import Vm


def power_button(node: Node) -> None:
    """The ACPI power button, from outside."""
    node.vm.qmp.powerdown()


def ctrl_alt_delete(node: Node) -> None:
    """Three keys: a reset, which ends this VM."""
    node.vm.qmp.send_keys(*CTRL_ALT_DELETE)


def poweroff_command(node: Node) -> None:
    """/usr/sbin/poweroff on the node."""
    node.agent.send("guest-exec", path="/usr/sbin/poweroff")


def agent_shutdown(node: Node) -> None:
    """What a hypervisor's management does: the guest agent runs /sbin/shutdown."""
    node.agent.send("guest-shutdown", mode="powerdown")


WAYS = {
    way.__name__.replace("_", "-"): way
    for way in (power_button, ctrl_alt_delete, poweroff_command, agent_shutdown)
}
POD_START = 120  # seconds, on a machine that is busy
REASONS = {"ctrl-alt-delete": "guest-reset"}


@pytest.mark.parametrize("name", WAYS)
def test_while_services_start(name: str, artifacts: Artifacts, tmp_path: Path, watched: list[Vm]) -> None:
    """The end is asked for as soon as the guest agent answers: most services are still on their way up."""
    node = start(artifacts, tmp_path, watched)
    node.wait_agent()
    seconds = ended(node, WAYS[name], REASONS.get(name, "guest-shutdown"))
    print(f"{name}: {seconds:.1f} s")


@pytest.mark.parametrize("name", ["sigterm", pytest.param("power-button", marks=pytest.mark.long)])
def test_with_a_ready_node(name: str, artifacts: Artifacts, tmp_path: Path, watched: list[Vm]) -> None:
    """A node with pods, ended by SIGTERM to PID 1 and by its power button."""
    node = start(artifacts, tmp_path, watched)
    node.wait_ready()
    node.wait_takes_pods()
    node.apply(pod("sleeper", "sleep"))
    node.wait_for("pod/sleeper", "condition=Ready", POD_START)
    seconds = ended(node, terminate_init if name == "sigterm" else power_button, "guest-shutdown")
    print(f"{name}: {seconds:.1f} s")


def start(artifacts: Artifacts, folder: Path, watched: list[Vm]) -> Node:
    """A node from an empty data disk."""
    vm = Vm(throwaway(artifacts, folder, name="power"))
    watched.append(vm)
    return Node(vm.start())


def ended(node: Node, way: Callable[[Node], None], reason: str) -> float:
    """End a node, look at what is left, and give the seconds until QEMU ended."""
    begun = time.monotonic()
    way(node)
    event = node.vm.qmp.wait_event("SHUTDOWN", timeout=POWEROFF_LIMIT)
    assert event["data"]["reason"] == reason
    node.vm.wait_end(5)
    seconds = time.monotonic() - begun
    check_ext4(node.vm.config.data)
    node.vm.console.check()
    return seconds


def terminate_init(node: Node) -> None:
    """Send SIGTERM to PID 1, from a pod in the host's pid namespace: the image has no kill.

    Returns when it has arrived. How long a pod takes to start is no part of how long the node takes to end.
    """
    node.apply(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "terminator"},
            "binaryData": {"terminator": base64.b64encode(terminator()).decode()},
        },
        terminator_pod(),
    )
    node.vm.console.wait_for(r"power off: asked for by Terminated", POD_START, node.vm.alive)


def terminator_pod() -> Object:
    """A pod that runs the program of the ConfigMap."""
    made = pod("terminator", restart="Never")
    spec = made["spec"]
    spec["hostPID"] = True
    spec["volumes"] = [{"name": "tool", "configMap": {"name": "terminator", "defaultMode": 0o755}}]
    spec["containers"][0]["command"] = ["/tool/terminator"]
    spec["containers"][0]["volumeMounts"] = [{"name": "tool", "mountPath": "/tool"}]
    return made
