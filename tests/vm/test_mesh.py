"""Five nodes find each other over WireGuard, and stay together whatever becomes of one of them or of the network.

Timings are printed; what is asserted are the limits that docs/mesh.md promises.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from vm.tools import throwaway_cluster

from qemu.artifacts import Artifacts
from qemu.cluster import capture, frames, mesh
from qemu.cluster.cluster import Cluster, Member
from qemu.cluster.frames import Packet
from qemu.cluster.spec import new_secret
from qemu.vm import Vm

FIVE = [f"node{number}" for number in range(1, 6)]
BOOT = 240.0
JOIN = 60.0  # of nodes that boot on a machine with few processors
HEAL = 30.0
PARTED = 180.0
TUNNEL, HELLO, HELLO_SIZE = 51871, 51872, 256
WIREGUARD_KINDS = {1, 2, 3, 4}
UNREACHABLE = 3
STORED = "/var/lib/thole/mesh/secret"
FLOOD_RATE, FLOOD_SECONDS = 100_000, 20
DEADLINE = 1800.0


@pytest.fixture(scope="module")
def five(
    artifacts: Artifacts, tmp_path_factory: pytest.TempPathFactory, watched_by_module: list[Vm]
) -> Iterator[Cluster]:
    """Five nodes on one segment without seeds, captured from their start on, that have found each other."""
    folder = tmp_path_factory.mktemp("mesh")
    spec = throwaway_cluster(
        artifacts, folder, nodes=5, mesh=True, capture=folder / "start.pcap", deadline=DEADLINE
    )
    with Cluster(spec, watched_by_module.append) as cluster:
        print(f"agents after {cluster.wait_agents(BOOT):.1f} s")
        print(f"full mesh {mesh.wait_full(cluster, FIVE, JOIN):.1f} s later")
        yield cluster
        assert cluster.stop() == []


def test_every_node_reaches_every_other(five: Cluster) -> None:
    """All 20 directed pings over the mesh, by name."""
    assert mesh.failed_pings(five, FIVE) == []
    addresses = {(mesh.status(member) or {})["ipv4"] for member in five.nodes.values()}
    assert len(addresses) == len(FIVE), f"two nodes have one address: {addresses}"


def test_commands_for_other_nodes(five: Cluster) -> None:
    """`thole -n` over the mesh: what a node may read of another, by name, and what it may not do there."""
    one = five.nodes["node1"]
    assert "node4" in one.output(mesh.THOLE, "-n", "node4", "node")
    assert "ready" in one.output(mesh.THOLE, "-n", "node2", "status", "mesh")
    assert "node3 of" in one.output(mesh.THOLE, "-n", "node3", "logs", "-n", "50", "mesh")
    refused = one.execute(mesh.THOLE, "-n", "node2", "poweroff")
    assert refused.status != 0 and five.nodes["node2"].vm.alive(), "a node may not end another"
    unknown = one.execute(mesh.THOLE, "-n", "node9", "status")
    assert unknown.status != 0 and "node9" in unknown.output


def test_a_new_secret_for_all(five: Cluster) -> None:
    """One node changes it, all have it; commands for other nodes go on."""
    one = five.nodes["node1"]
    printed = one.output(mesh.THOLE, "mesh", "rotate-secret")
    assert re.search(r"^secret = [A-Za-z0-9+/]{43}=$", printed, re.MULTILINE) and "ula = fd" in printed
    secret = printed.split("secret = ")[1].split()[0]
    for member in five.nodes.values():
        five.until(
            f"{member.name} has the new secret",
            lambda member=member: member.agent.exists(STORED) and secret in member.read(STORED),
            HEAL,
        )
    five.until(
        "commands go by the new secret",
        lambda: one.execute(mesh.THOLE, "-n", "node5", "node").status == 0,
        HEAL,
    )
    assert mesh.failed_pings(five, FIVE) == []


def test_the_outside_shows_only_the_mesh(five: Cluster) -> None:
    """What went over the wire since the nodes' start: tunnels, hellos, and what every link has; nothing readable."""
    five.wire.end_capture()
    assert five.spec.capture
    packets = [frames.parse(found.frame) for found in capture.read(five.spec.capture)]
    foreign = sorted({packet.describe() for packet in packets if not is_expected(packet)})
    assert not foreign, "the capture shows also:\n" + "\n".join(foreign[:20])
    for packet in packets:
        if packet.to_port == HELLO:
            assert len(packet.payload) == HELLO_SIZE, packet.describe()
        if packet.to_port == TUNNEL:
            assert packet.payload[0] in WIREGUARD_KINDS, packet.describe()
        if packet.protocol == frames.UDP:
            assert not re.search(rb"node[1-5]", packet.payload), f"a name can be read: {packet.describe()}"
    print(f"{len(packets)} frames, {sum(packet.to_port == HELLO for packet in packets)} hellos")


def test_a_node_that_lost_its_power_comes_back(five: Cluster) -> None:
    """With its disk it is the same member at the same address."""
    member = five.nodes["node5"]
    before = mesh.status(member) or {}
    five.kill("node5")
    five.start("node5").wait(BOOT)
    print(f"back after {mesh.wait_full(five, FIVE, JOIN):.1f} s")
    after = mesh.status(member) or {}
    assert (after["name"], after["ipv4"], after["ipv6"]) == (before["name"], before["ipv4"], before["ipv6"])
    assert mesh.failed_pings(five, FIVE) == []


def test_a_node_made_anew_comes_back(five: Cluster) -> None:
    """With an empty disk it is a new member, and takes the name of its old self that was forgotten."""
    before = mesh.status(five.nodes["node5"]) or {}
    five.kill("node5")
    mesh.forget(five.nodes["node1"], "node5")
    five.remake("node5").wait(BOOT)
    print(f"in after {mesh.wait_full(five, FIVE, JOIN):.1f} s")
    assert (mesh.status(five.nodes["node5"]) or {})["ipv6"] != before["ipv6"], "it has its old key"
    assert mesh.failed_pings(five, FIVE) == []


@pytest.mark.long
def test_a_partition_of_three_minutes_heals(five: Cluster) -> None:
    """Each part goes on by itself; after the end of the partition the mesh is whole within half a minute."""
    parts = [FIVE[:2], FIVE[2:]]
    five.partition(parts)
    time.sleep(PARTED)  # nothing happens that could be waited for
    assert mesh.failed_pings(five, parts[0]) == [] and mesh.failed_pings(five, parts[1]) == []
    assert mesh.ping(five.nodes["node1"], "node3"), "a ping went through the partition"
    five.heal()
    begun = time.monotonic()
    five.until("every ping is answered again", lambda: not mesh.failed_pings(five, FIVE), HEAL)
    print(f"whole {time.monotonic() - begun:.1f} s after the end of the partition")


def test_a_flood_of_strangers_datagrams(five: Cluster) -> None:
    """PID 1, the mesh and the members' pings are afterwards as before; other nodes never notice."""
    member = five.nodes["node1"]
    memory = memory_of(member, "init"), memory_of(member, "mesh")
    five.flood("node1", FLOOD_RATE, FLOOD_SECONDS)
    others = FIVE[1:]
    while not five.wire.flood_report()["over"]:
        assert mesh.failed_pings(five, others) == [], "nodes that are not flooded lost each other"
    report = five.wire.flood_report()
    print(f"offered {report['rate']:.0f} datagrams a second, of which the VM took {report['taken']:.0f}")
    five.until("pings from and to the flooded node", lambda: not mesh.failed_pings(five, FIVE), HEAL)
    after = memory_of(member, "init"), memory_of(member, "mesh")
    print(f"anonymous memory of PID 1 and the mesh: {memory} kB before, {after} kB after")
    assert after[0] <= memory[0] + 64 and after[1] <= memory[1] + 64, "the flood cost memory that stayed"


def test_a_seed_that_appears_later_is_enough(artifacts: Artifacts, tmp_path: Path, watched: list[Vm]) -> None:
    """Nodes that hear nothing but answers to themselves wait for their seed, then know one another by it."""
    names = FIVE[:3]
    spec = throwaway_cluster(artifacts, tmp_path, nodes=3, mesh=True, seeds=1, absent={"node1"})
    with Cluster(spec, watched.append) as cluster:
        cluster.wire.pass_announcements(False)
        cluster.wait_agents(BOOT)
        # Both have called for others, and were not heard.
        cluster.until("announcements that did not pass", lambda: cluster.wire.status()["cut"] >= 4, JOIN)
        assert mesh.peers_up(cluster.nodes["node2"]) == mesh.peers_up(cluster.nodes["node3"]) == set()
        cluster.start("node1").wait(BOOT)
        print(f"full mesh {mesh.wait_full(cluster, names, JOIN):.1f} s after the seed's agent answered")
        assert mesh.failed_pings(cluster, names) == []
        assert cluster.stop() == []


def test_who_is_not_let_in(artifacts: Artifacts, tmp_path: Path, watched: list[Vm]) -> None:
    """Another secret keeps a node out for good; with the right one it gets in, but not at another's address."""
    static = "10.41.0.2"
    spec = throwaway_cluster(artifacts, tmp_path, nodes=3, mesh=True)
    spec.settings = {"node2": {"mesh.address": static}, "node3": {"mesh.secret": new_secret()}}
    with Cluster(spec, watched.append) as cluster:
        one, other, third = cluster.nodes.values()
        cluster.wait_agents(BOOT)
        mesh.wait_full(cluster, ["node1", "node2"], JOIN)
        before = processor_time(one, "mesh")
        with cluster.probe() as probe:  # the hellos of node3 go to all, so a host can wait for some of them
            heard = sum(packet.to_port == HELLO and packet.source == third.address for packet in probe.packets(20))
        used = processor_time(one, "mesh") - before
        print(f"{heard} hellos to all; the mesh of node1 used {used:.2f} s of processor time meanwhile")
        assert mesh.peers(one).keys() == {"node2"} and mesh.peers(other).keys() == {"node1"}
        assert mesh.peers_up(third) == set()

        spec.settings["node3"] = {"mesh.address": static}
        cluster.remake("node3").wait(BOOT)
        mesh.wait_tunnels(cluster, FIVE[:3], JOIN)
        assert (mesh.status(other) or {})["ipv4"] == static
        cluster.until(
            "node3 says that its address is refused",
            lambda: (mesh.status(third) or {}).get("state") == "address-refused", JOIN,
        )  # fmt: skip
        assert (mesh.status(third) or {})["ipv4"] != static, "it took another node's address"
        assert mesh.ping(one, "node2") == ""
        assert mesh.peers(one)["node2"]["ipv4"] == static
        assert cluster.stop() == []


def is_expected(packet: Packet) -> bool:
    """What a capture of the outside may show: the mesh's ports, and the noise of a link."""
    if packet.protocol == frames.UDP:
        return packet.to_port in (TUNNEL, HELLO)
    # A node whose mesh is not up yet, or no longer, says so.
    unreachable = packet.protocol == frames.ICMP and packet.payload[:1] == bytes([UNREACHABLE])
    return packet.kind == frames.ARP or packet.protocol in (frames.ICMPV6, frames.IGMP) or unreachable


def process_of(member: Member, unit: str) -> int:
    """The main process of a unit; of `init` PID 1."""
    if unit == "init":
        return 1
    return int(member.read(f"/sys/fs/cgroup/services/{unit}/cgroup.procs").split()[0])


def memory_of(member: Member, unit: str) -> int:
    """Anonymous memory of a process in kB."""
    found = re.search(r"RssAnon:\s+(\d+) kB", member.read(f"/proc/{process_of(member, unit)}/status"))
    assert found
    return int(found[1])


def processor_time(member: Member, unit: str) -> float:
    """Seconds of processor time that a process has used."""
    fields = member.read(f"/proc/{process_of(member, unit)}/stat").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100
