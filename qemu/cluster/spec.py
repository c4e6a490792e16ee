"""What a cluster is made of: how many nodes, their addresses, and the node.ini that each one gets."""

from __future__ import annotations

import base64
import ipaddress
import os
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from driver.errors import TholeError
from qemu import host
from qemu.artifacts import Artifacts
from qemu.host import MIB
from qemu.rootfs import members

NETWORK = ipaddress.IPv4Network("192.168.73.0/24")
MOST = 200  # nodes; addresses above are for probes, strangers and the way out
STRANGER, PROBE, NAME_SERVER, GATEWAY = (str(NETWORK[number]) for number in (220, 250, 253, 254))
INTERFACE = "eth0"
MEMORY = {"base": 512 * MIB, "kubernetes": 2048 * MIB}
MINIMUM_MEMORY = 256 * MIB
MESH_UNIT = "usr/lib/thole/units/mesh.unit"
MOST_SEEDS = 6  # as node.ini takes
# Only the cluster can say these, so that nodes and switch agree.
OURS = ("node.name", "network.interface", "network.address", "network.gateway")

Settings = dict[str, str]  # SECTION.KEY: value


@dataclass
class ClusterSpec:
    """What to start. Sizes are bytes, `folder` keeps a folder for each node."""

    artifacts: Artifacts
    folder: Path
    name: str = "cluster"
    nodes: int = 3
    memory: int = MEMORY["base"]
    cpus: int = 1
    first_cpus: int = 0  # of the first node; 0: as many as the others
    kubernetes: bool = False  # nodes run it, where their image has it
    node_configs: list[Path] = field(default_factory=list)  # none, one for all, or one for each
    settings: dict[str, Settings] = field(default_factory=dict)  # by node's name, or `*`; they go before all else
    absent: set[str] = field(default_factory=set)  # nodes that are not started with the others
    mesh: bool | None = None  # nodes are told of one; None: where their image can
    seeds: int = 0  # the first nodes, as seeds of all; 0: nodes find each other on the segment
    capture: Path | None = None  # a pcap file of all that nodes send from their start on
    uplink: bool = False  # a gateway to this machine's own network
    streams: bool = False  # network cards by streams: faster, but nothing is dropped however slow a guest is
    throwaway: bool = False  # the data disks need not survive a power cut of this machine
    deadline: float | None = None  # each VM is killed after so many seconds

    def processors(self, name: str) -> int:
        """Of the node of that name."""
        return (self.first_cpus if name == self.names()[0] else 0) or self.cpus

    def check(self) -> None:
        """Refuse what cannot be, before anything is made."""
        if not 1 <= self.nodes <= MOST:
            raise TholeError(f"{self.nodes} nodes are no cluster", f"give --nodes a number from 1 to {MOST}")
        if self.cpus < 1:
            raise TholeError(f"{self.cpus} processors are none", "give --cpus 1 or more")
        if not 0 <= self.seeds <= min(self.nodes, MOST_SEEDS):
            raise TholeError(
                f"{self.seeds} of {self.nodes} nodes cannot be seeds",
                f"give --seeds a number up to {min(self.nodes, MOST_SEEDS)}",
            )
        if len(self.node_configs) not in (0, 1, self.nodes):
            raise TholeError(
                f"{len(self.node_configs)} node configurations are given for {self.nodes} nodes",
                "give --node-config once for all nodes, or once for each",
            )
        for path in self.node_configs:
            if not path.is_file():
                raise TholeError(f"the node configuration {path} is not there")
            refuse_ours(path)
        self.check_memory()

    def check_memory(self) -> None:
        """Refuse more memory than this machine has left for all nodes together."""
        if self.memory < MINIMUM_MEMORY:
            host.check_memory(self.memory, MINIMUM_MEMORY)  # says so
        wanted = self.nodes * (self.memory + host.OVERHEAD)
        free = host.available_memory()
        if wanted > free:
            most = free // (self.memory + host.OVERHEAD)
            raise TholeError(
                f"this machine has {free // MIB} MiB of memory left, and {self.nodes} nodes of {self.memory // MIB} MiB"
                f" take {wanted // MIB} MiB with QEMU itself",
                f"give them less with --memory, or start fewer (--nodes {most})" if most else "end other programs",
            )

    def settle(self) -> None:
        """Find out what was left to the image."""
        if self.mesh is None:
            self.mesh = any(one.path == MESH_UNIT for one in members(self.artifacts.root_tar))

    def names(self) -> list[str]:
        """The nodes' names, in order."""
        return [f"node{number}" for number in range(1, self.nodes + 1)]

    def ini(self, name: str, secret: str) -> str:
        """The node.ini of a node: what the person wrote, as it stands, then what the cluster adds."""
        text = self._own_text(name)
        chosen = {**self.settings.get("*", {}), **self.settings.get(name, {})}
        written = keys_of(text)
        clash = sorted(set(chosen) & written)
        if clash:
            raise TholeError(f"{', '.join(clash)} of {name} stands in its node configuration already")
        added = {key: value for key, value in self._defaults(name, secret).items() if key not in written} | chosen
        return text + ("\n" if text else "") + render(added)

    def _own_text(self, name: str) -> str:
        if not self.node_configs:
            return ""
        number = self.names().index(name) if len(self.node_configs) > 1 else 0
        text = self.node_configs[number].read_text()
        return text if text.endswith("\n") else text + "\n"

    def _defaults(self, name: str, secret: str) -> Settings:
        made = {
            "node.name": name,
            "network.interface": INTERFACE,
            "network.address": f"{address_of(name)}/{NETWORK.prefixlen}",
        }
        if self.uplink:
            made |= {"network.gateway": GATEWAY, "network.dns": NAME_SERVER}
        if not self.kubernetes:
            made["kubernetes.enabled"] = "no"
        if self.mesh:
            made |= {"mesh.cluster": self.name, "mesh.secret": secret}
            if self.seeds:
                made["mesh.seeds"] = ", ".join(address_of(one) for one in self.names()[: self.seeds])
        return made


def number_of(name: str) -> int:
    """3 of node3."""
    return int(name.removeprefix("node"))


def address_of(name: str) -> str:
    """A node's address on the cluster's network."""
    return str(NETWORK[number_of(name)])


def mac_of(name: str) -> str:
    """A node's MAC address there: QEMU's prefix."""
    return f"52:54:00:73:00:{number_of(name):02x}"


def keys_of(text: str) -> set[str]:
    """SECTION.KEY of every key in an ini file, as far as this machine has to know: the node checks it in earnest."""
    found = set()
    section = ""
    for line in text.splitlines():
        head = re.match(r"\[([^\]]*)\]", line.strip())
        if head:
            section = head[1].strip()
        elif "=" in line and line[:1] not in ("#", ";", " ", "\t"):
            found.add(f"{section}.{line.partition('=')[0].strip()}")
    return found


def refuse_ours(path: Path) -> None:
    """A person's node.ini may not say what tells the nodes of the cluster apart."""
    clash = sorted(keys_of(path.read_text()) & set(OURS))
    if clash:
        raise TholeError(
            f"{path} sets {', '.join(clash)}, which the cluster gives each node by itself",
            "leave it out: node N is nodeN with the address " + str(NETWORK).replace("0/24", "N/24"),
        )


def render(settings: Settings) -> str:
    """Settings as the text of an ini file."""
    lines = ["# Added by ./thole cluster."]
    section = ""
    for key, value in sorted(settings.items(), key=lambda item: item[0].partition(".")[0]):
        own, _, name = key.partition(".")
        if own != section:
            section = own
            lines += ["", f"[{section}]"]
        lines.append(f"{name} = {value}")
    return "\n".join(lines) + "\n"


def new_secret() -> str:
    """A cluster's secret, as node.ini wants it."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


def kept_secret(folder: Path) -> str:
    """The secret of the cluster in that folder; made when it has none yet."""
    path = folder / "secret"
    if not path.exists():
        write_private(path, new_secret() + "\n")
    return path.read_text().strip()


def write_private(path: Path, text: str) -> None:
    """Write a file that nobody else can read, not even for a moment."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
