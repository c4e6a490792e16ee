"""The two that are measured: a server and an agent each, as VMs of the same size on the same kernel.

thole's nodes are in a mesh, which is how its agents join; Debian's reach each other by QEMU's user network and have no
mesh. Each side starts the server, measures it, then adds the agent.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

from bench.cluster import debian
from bench.vm import debian as composed
from driver.errors import TholeError
from qemu.artifacts import Artifacts
from qemu.checks.survival import until
from qemu.cluster.cluster import Cluster
from qemu.cluster.spec import ClusterSpec
from qemu.host import MIB
from qemu.node import Node, is_ready
from qemu.vm import Vm, VmConfig

MEMORY, CPUS = 3072 * MIB, 2
DEADLINE = 4 * 3600.0
LIMIT, OFF = 1800.0, 180.0


class Side(Protocol):
    """One column: nodes that are started and ended one by one, on the disks that they have."""

    name: str

    def start(self, agent: bool) -> Node:
        """Power a node on."""

    def stop(self, agent: bool) -> None:
        """Power it off in order."""

    def close(self) -> None:
        """End everything."""


def ready(node: Node, server: Node) -> float:
    """Until the server calls the node Ready in this boot; the seconds since it was powered on."""
    if node is server:
        return node.wait_ready(LIMIT)
    node.wait_agent(LIMIT)
    boot, name = node.boot_id(), node.name

    def known() -> bool:
        done = server.run_kubectl("get", "nodes", "-o", "json", timeout=60)
        return done.returncode == 0 and any(
            is_ready(one, boot) for one in _items(done.stdout) if one["metadata"]["name"] == name
        )

    until(f"{name} is Ready", known, LIMIT)
    return time.monotonic() - node.started


def _items(text: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = json.loads(text)["items"]
    return items


class Thole:
    """Two nodes of one mesh."""

    name = "thole"

    def __init__(self, artifacts: Artifacts, folder: Path) -> None:
        spec = ClusterSpec(
            artifacts=artifacts, folder=folder, nodes=2, kubernetes=True, mesh=True, uplink=True, memory=MEMORY,
            cpus=CPUS, throwaway=True, deadline=DEADLINE, absent={"node1", "node2"},
            settings={"node2": {"kubernetes.role": "agent"}},
        )  # fmt: skip
        self._cluster = Cluster(spec).start_all()

    def start(self, agent: bool) -> Node:
        """By the cluster's own switch."""
        return self._cluster.start("node2" if agent else "node1").node

    def stop(self, agent: bool) -> None:
        """By the guest agent."""
        self._cluster.member("node2" if agent else "node1").node.poweroff(OFF)

    def close(self) -> None:
        """The switch, too."""
        self._cluster.close()


class Systemd:
    """The same on Debian, which lies on the VM's data disk."""

    name = "Debian 13, systemd"

    def __init__(self, artifacts: Artifacts, folder: Path) -> None:
        self._artifacts = artifacts
        self._vms: dict[bool, Vm] = {}
        self._stack = ExitStack()
        self._folders = {agent: folder / ("agent" if agent else "server") for agent in (False, True)}
        for agent, place in self._folders.items():
            place.mkdir(parents=True)
            made = composed.make(debian.recipe(artifacts, place.name, agent))
            _copy(made, place / "data.img")

    def start(self, agent: bool) -> Node:
        """The server's API is at a port of this machine's loopback that the agent knows."""
        vm = Vm(
            VmConfig(
                artifacts=self._artifacts, folder=self._folders[agent], name=self._folders[agent].name, memory=MEMORY,
                cpus=CPUS, port="auto" if agent else debian.PORT, throwaway=True, reboots=False, deadline=DEADLINE,
                command_line="root=/dev/vdb rw",
            )
        )  # fmt: skip
        self._vms[agent] = self._stack.enter_context(vm)
        return Node(vm)

    def stop(self, agent: bool) -> None:
        """By the guest agent."""
        Node(self._vms[agent]).poweroff(OFF)

    def close(self) -> None:
        """Both VMs."""
        self._stack.close()


def _copy(image: Path, target: Path) -> None:
    command = ["cp", "--sparse=always", "--reflink=auto", image, target]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise TholeError(f"the image does not copy: {done.stderr.strip()}", "free some space in the temporary folder")


SIDES: dict[str, Callable[[Artifacts, Path], Side]] = {Thole.name: Thole, Systemd.name: Systemd}
