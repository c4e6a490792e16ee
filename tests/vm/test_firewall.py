"""The firewall on a booted node: in force from the start, and off where somebody says so."""

from __future__ import annotations

import socket
from pathlib import Path

from vm.tools import throwaway

from qemu.artifacts import Artifacts
from qemu.checks.survival import until
from qemu.node import Node
from qemu.vm import Vm

PATIENCE = 120
THOLE = "/usr/bin/thole"
CLOSED = """\
[firewall]
allow =

[kubernetes]
enabled = no
"""


def test_rules_of_node_ini(artifacts: Artifacts, tmp_path: Path, watched: list[Vm]) -> None:
    """What node.ini closes does not answer, and the table in force is node.ini's."""
    ini = tmp_path / "node.ini"
    ini.write_text(CLOSED)
    vm = Vm(throwaway(artifacts, tmp_path / "vm", name="firewall", node_config=ini))
    watched.append(vm)
    node = Node(vm.start())
    node.wait_agent()
    assert "those of node.ini" in node.agent.check_output([THOLE, "firewall", "check"])
    actual = node.agent.check_output([THOLE, "firewall", "show", "--actual"])
    assert "policy drop" in actual and "6443" not in actual
    # The kernel refuses a connection to a port where nobody listens, the firewall drops it: QEMU's forwarder ends the one at
    # once and leaves the other waiting.
    assert not ends_at_once(vm.port)
    vm.console.check()


def test_switched_off(artifacts: Artifacts, tmp_path: Path, watched: list[Vm]) -> None:
    """`firewall.enabled = no` by the kernel's command line: no table, and the console says who wanted it."""
    line = "thole.firewall.enabled=no thole.kubernetes.enabled=no"
    vm = Vm(throwaway(artifacts, tmp_path / "vm", name="open", command_line=line))
    watched.append(vm)
    node = Node(vm.start())
    node.wait_agent()
    until("the port refuses", lambda: ends_at_once(vm.port), PATIENCE)
    assert "firewall off (the kernel command line)" in vm.console.path.read_text(errors="replace")
    vm.console.check()


def ends_at_once(port: int) -> bool:
    """Whether a connection through QEMU's forwarded port is ended by the guest within two seconds."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.settimeout(2)
        try:
            return client.recv(1) == b""
        except TimeoutError:
            return False
        except ConnectionResetError:
            return True
