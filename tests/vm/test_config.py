"""node.ini on a real node: what is asked for is in force, and `thole config show` says where it came from."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

from vm.tools import halt_message, throwaway

from qemu.artifacts import Artifacts
from qemu.checks.survival import until
from qemu.node import Node
from qemu.vm import Vm, escape

SETTLED = {"ready", "done", "skipped", "failed"}
PATIENCE = 120
SHOWING = (
    "config show", "config --json show", "doctor", "logs thole", "logs kernel", "logs remote", "status --json",
    "show remote",
)  # fmt: skip
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


def config_disk(folder: Path) -> list[str]:
    """QEMU's arguments for a stick with these files: one partition, FAT, labelled as Windows would."""
    return [
        "-blockdev", f"driver=vvfat,node-name=stick,read-only=on,label=THOLECONFIG,dir={escape(folder)}",
        "-device", "virtio-blk-pci,drive=stick,serial=stick",
    ]  # fmt: skip


def test_config_disk(artifacts: Artifacts, tmp_path: Path, watched: list[Vm]) -> None:
    """Secrets come by a config disk, fw_cfg goes before it, and nobody else gets to see them."""
    canary, older = (base64.b64encode(os.urandom(32)).decode() for _ in range(2))
    stick = tmp_path / "stick"
    stick.mkdir()
    (stick / "node.ini").write_text(
        f"[mesh]\ncluster = harbour\nsecret = {canary}\n[node]\nname = by-disk\n[network]\naddress = none\n"
    )
    ini = tmp_path / "node.ini"
    ini.write_text(f"[mesh]\nprevious-secret = {older}\n[node]\nname = by-fw-cfg\n[kubernetes]\nenabled = no\n")
    node = start(artifacts, tmp_path, watched, node_config=ini, extra=config_disk(stick))
    states = settled(node)
    assert node.name == "by-fw-cfg"
    assert states["remote"] == "ready"
    said = [node.agent.execute(["/usr/bin/thole", *words.split()]).output for words in SHOWING]
    assert "mesh.secret = (secret)   # the config disk's node.ini:3" in said[0]
    assert "/run/thole/config-disk " not in node.agent.read_text("/proc/self/mounts")
    said.append(node.vm.console.text())
    paths = [f"/proc/{pid}/{name}" for pid in range(1, 1000) for name in ("cmdline", "environ")]
    read = node.agent.read_many(paths)
    assert len(read) > 20 and "init" in read["/proc/1/cmdline"]
    said.extend(read.values())
    for secret in (canary, older):
        assert not [text for text in said if secret[:12] in text]


def test_config_disk_without_a_file(artifacts: Artifacts, tmp_path: Path, watched: list[Vm]) -> None:
    """A config disk with nothing to read is a mistake, and the node says so before it changes anything."""
    stick = tmp_path / "stick"
    stick.mkdir()
    (stick / "node.txt").write_text("[node]\nname = x\n")
    vm = Vm(throwaway(artifacts, tmp_path / "vm", name="config", extra=config_disk(stick)))
    watched.append(vm)
    vm.start()
    assert "The config disk /dev/vd" in halt_message(vm)


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
