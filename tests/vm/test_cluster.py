"""Three nodes on one network: they reach each other, and what is done to one of them or to the network is done."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from vm.tools import throwaway_cluster

from qemu.artifacts import CHECKOUT, Artifacts
from qemu.cluster import capture, door, frames
from qemu.cluster.cluster import Cluster
from qemu.cluster.owner import Owner
from qemu.images import check_ext4
from qemu.vm import EMULATOR_FAULT, Vm

PATIENCE = 10.0
SILENCE = 2.0
CHRONYC = "/usr/bin/chronyc"


@pytest.fixture(scope="module")
def cluster(
    artifacts: Artifacts, tmp_path_factory: pytest.TempPathFactory, watched_by_module: list[Vm]
) -> Iterator[Cluster]:
    """The nodes that all tests share; the last one ends them."""
    spec = throwaway_cluster(artifacts, tmp_path_factory.mktemp("cluster"), nodes=3)
    spec.settings = {"*": {"firewall.enabled": "no"}}  # closed ports are to say so
    with Cluster(spec, watched_by_module.append) as made:
        print(f"agents after {made.wait_agents(180):.1f} s")
        yield made


def answering(cluster: Cluster, patience: float = PATIENCE) -> set[str]:
    """The nodes that answer a ping from this machine; those that do not cost `patience` each."""
    with cluster.probe() as probe:
        return {name for name, one in cluster.nodes.items() if probe.ping(one.address, patience) is not None}


def test_static_addresses_answer(cluster: Cluster) -> None:
    """Each node has its name and its address, and answers ARP and ping with its own card."""
    with cluster.probe() as probe:
        for name, member in cluster.nodes.items():
            assert member.read("/proc/sys/kernel/hostname").strip() == name
            assert probe.find(member.address, PATIENCE) == frames.mac(member.mac)
    assert answering(cluster) == set(cluster.nodes)


def test_nodes_reach_each_other(cluster: Cluster, tmp_path: Path) -> None:
    """A datagram from node to node and the answer to it go over the wire, and a capture has both."""
    one, other = cluster.nodes["node1"], cluster.nodes["node2"]
    cluster.capture(tmp_path / "nodes.pcap")
    asked = one.execute(CHRONYC, "-h", other.address, "tracking")
    assert "Cannot talk to daemon" in asked.output, "somebody answered where no time service runs"
    cluster.wire.end_capture()
    packets = [frames.parse(found.frame) for found in capture.read(tmp_path / "nodes.pcap")]
    between = {(packet.source, packet.to, packet.protocol) for packet in packets}
    assert (one.address, other.address, frames.UDP) in between
    assert (other.address, one.address, frames.ICMP) in between, "node2 did not say that the port is closed"
    neighbours = [line.split() for line in one.read("/proc/net/arp").splitlines()]
    assert [other.address, other.mac] in [[fields[0], fields[3]] for fields in neighbours]


def test_a_partition_parts_and_heals(cluster: Cluster) -> None:
    with cluster.probe() as probe:
        cluster.wire.partition([["node1", probe.name], ["node2", "node3"]])
        assert probe.ping(cluster.nodes["node1"].address, PATIENCE) is not None
        assert probe.ping(cluster.nodes["node2"].address, SILENCE) is None
        cluster.heal()
        assert probe.ping(cluster.nodes["node2"].address, PATIENCE) is not None


def test_a_cable_is_pulled(cluster: Cluster) -> None:
    """The node sees it, and the others do not hear it."""
    member = cluster.nodes["node3"]
    carrier = "/sys/class/net/eth0/carrier"
    cluster.unplug("node3")
    cluster.until("node3 has no carrier", lambda: member.read(carrier).strip() == "0", PATIENCE)
    assert answering(cluster, SILENCE) == {"node1", "node2"}
    cluster.plug("node3")
    cluster.until("node3 has a carrier", lambda: member.read(carrier).strip() == "1", PATIENCE)
    assert "node3" in answering(cluster)


def test_a_power_cut_and_a_new_disk(cluster: Cluster) -> None:
    """After a power cut a node is itself; with an empty disk it is another one at the same address."""
    member = cluster.nodes["node3"]
    first = member.read("/etc/machine-id")
    cluster.kill("node3")
    assert answering(cluster, SILENCE) == {"node1", "node2"}
    cluster.start("node3").wait()
    assert member.read("/etc/machine-id") == first
    cluster.remake("node3").wait()
    assert member.read("/etc/machine-id") != first
    assert answering(cluster) == set(cluster.nodes)


def test_a_node_whose_emulator_breaks_is_started_again(cluster: Cluster) -> None:
    """QEMU ends by a fault of its own while the node starts: it is started once more, and is on the network."""
    cluster.kill("node3")
    member = cluster.start("node3")
    member.node.vm.cut_power()
    with (member.folder / "qemu.log").open("a") as log:
        log.write(EMULATOR_FAULT)
    member.wait()
    assert "node3" in answering(cluster)


def test_a_flood_ends(cluster: Cluster) -> None:
    """Strangers' datagrams reach a node as fast as it takes them; what is too much is lost at once and not kept."""
    cluster.flood("node1", rate=100_000, seconds=3)
    cluster.until("the flood is over", lambda: cluster.wire.flood_report()["over"], 30)
    report = cluster.wire.flood_report()
    print(f"offered {report['rate']:.0f} a second, taken {report['taken']:.0f}")
    with cluster.probe() as probe:
        assert probe.ping(cluster.nodes["node1"].address, PATIENCE) is not None
    assert report["taken"] > 1000


def test_the_command_line_talks_to_it(cluster: Cluster) -> None:
    """exec, status and errors of `./thole cluster`, as from another terminal."""
    owner = Owner(cluster)
    with owner.watch(), door.Door(cluster.spec.folder, owner.handle):
        done = thole(cluster, "exec", "node2", "--", "thole", "version")
        assert done.returncode == 0 and done.stdout.startswith("thole ")
        assert thole(cluster, "exec", "node2", "--", "thole", "nonsense").returncode not in (0, None)
        refused = thole(cluster, "exec", "node7", "--", "thole")
        assert refused.returncode == 1 and "there are node1, node2, node3" in refused.stderr
        report = json.loads(thole(cluster, "status", "--json").stdout)
        assert [node["vm"] for node in report["nodes"]] == ["up"] * 3


def test_they_end_in_order(cluster: Cluster) -> None:
    """All at once by their power buttons; the fixture looks at all consoles."""
    assert cluster.stop() == []
    for member in cluster.nodes.values():
        check_ext4(member.folder / "data.img")


def thole(cluster: Cluster, *arguments: str) -> subprocess.CompletedProcess[str]:
    """./thole cluster for the cluster of the test, which is not below build/run."""
    code = (
        "import sys, pathlib; from qemu import session; session.RUN = pathlib.Path(sys.argv.pop(1));"
        " from driver.main import main; sys.exit(main(sys.argv[1:]))"
    )
    folder = cluster.spec.folder
    command, *rest = arguments
    return subprocess.run(
        [sys.executable, "-c", code, str(folder.parent), "cluster", command, "--name", folder.name, *rest],
        cwd=CHECKOUT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
