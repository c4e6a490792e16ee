"""node.ini on a real node: what is asked for is in force, and `thole config show` says where it came from."""

from __future__ import annotations

import json
from pathlib import Path

from vm.tools import throwaway

from qemu.artifacts import Artifacts
from qemu.checks.survival import until
from qemu.node import Node
from qemu.vm import Vm

SETTLED = {"ready", "done", "skipped", "failed"}
PATIENCE = 120
STATIC = """\
[node]
name = configured

[network]
address = 10.0.2.77/24
gateway = 10.0.2.2
dns = 10.0.2.3, 10.0.2.4

[time]
servers = 10.0.2.2

[kubernetes]
enabled = no
"""


def test_static_address_name_and_time(artifacts: Artifacts, tmp_path: Path, watched: list[Vm]) -> None:
    """A fixed address with its route and name servers, a name, a time service, and no Kubernetes."""
    ini = tmp_path / "node.ini"
    ini.write_text(STATIC)
    node = start(artifacts, tmp_path, watched, node_config=ini)
    states = settled(node)
    read = node.agent.read_text
    assert node.name == "configured"
    assert "10.0.2.77" in read("/proc/net/fib_trie")
    # Destination and gateway as /proc/net/route writes them: bytes of the address, last one first.
    assert ["eth0", "00000000", "0202000A"] in [line.split()[:3] for line in read("/proc/net/route").splitlines()]
    servers = [line.split()[1] for line in read("/etc/resolv.conf").splitlines() if line.startswith("nameserver")]
    assert servers == ["10.0.2.3", "10.0.2.4"]
    assert states["time"] == "ready"
    assert states["dhcp"] == states["kubelet"] == states["kube-apiserver"] == "skipped"
    shown = node.agent.check_output(["/usr/bin/thole", "config", "show"])
    assert "10.0.2.77/24" in shown and "fw_cfg opt/thole/node.ini:5" in shown


def test_no_network(artifacts: Artifacts, tmp_path: Path, watched: list[Vm]) -> None:
    """`address = none`, by the kernel's command line: an address on a dummy interface, as programs want one."""
    line = "thole.network.address=none thole.kubernetes.enabled=no"
    node = start(artifacts, tmp_path, watched, command_line=line)
    states = settled(node)
    assert "192.0.2.1" in node.agent.read_text("/proc/net/fib_trie")
    assert states["dhcp"] == "skipped"


def start(artifacts: Artifacts, folder: Path, watched: list[Vm], **more: object) -> Node:
    """A node from an empty data disk whose agent answers."""
    vm = Vm(throwaway(artifacts, folder / "vm", name="config", **more))
    watched.append(vm)
    node = Node(vm.start())
    node.wait_agent()
    return node


def settled(node: Node) -> dict[str, str]:
    """The state of every unit, when none is on its way any more."""
    states: dict[str, str] = {}

    def none_on_its_way() -> bool:
        units = json.loads(node.agent.check_output(["/usr/bin/thole", "status", "--json"]))
        states.update({unit["name"]: unit["state"] for unit in units})
        return set(states.values()) <= SETTLED

    until("every unit has come to rest", none_on_its_way, PATIENCE)
    return states
