"""A mesh of VMs: what its process takes, how fast a node joins, what passes through it, and 500 members."""

from __future__ import annotations

import re
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from bench.mesh import records
from bench.programs import one as program
from bench.supervisors import FAILURES, Results, Say
from bench.table import Line
from driver.errors import TholeError
from qemu.artifacts import Artifacts
from qemu.cluster import mesh
from qemu.cluster.cluster import Cluster, Member
from qemu.cluster.spec import ClusterSpec
from qemu.host import MIB
from qemu.images import make_sparse

NODES, MEMORY = 6, 320 * MIB
MANY = 500
PORT, PROGRAM = 5301, "/var/bench/stream"
STREAM = Path(__file__).resolve().parent / "stream.c"
GROUP = "/sys/fs/cgroup/services/mesh"
FRESH = f"node{NODES}"
BOOT, JOIN, RESTART = 300.0, 300.0, 60.0
MINUTE = 60.0
LINES = (
    Line("rss", "VmRSS of the mesh, kB"),
    Line("anonymous", "RssAnon, kB"),
    Line("pss", "PSS, kB"),
    Line("cpu", "processor time in a minute, ms", 1),
    Line("switches", "voluntary context switches in a minute"),
)
JOIN_LINES = (
    Line("tunnels", "tunnels to all 5 others, s", 2),
    Line("settled", "and its IPv4 address settled, with routes to all, s", 2),
    Line("all", "and every other routes to it, s", 2),
)
SPEED_LINES = (
    Line("rate", "MB a second", 1, high=True),
    Line("cpu", "processor time of both nodes' mesh meanwhile, ms", 1),
)


class Sizes(NamedTuple):
    """How much is done. Times in seconds."""

    rounds: int
    quiet: float = MINUTE
    settle: float = 30.0
    stream: float = 5.0


def measure(folder: Path, sizes: Sizes, say: Say) -> dict[str, dict[str, Results]]:
    """All tables that VMs give: `memory`, `join`, `speed`."""
    spec = ClusterSpec(
        artifacts=Artifacts.find(), folder=folder, nodes=NODES, memory=MEMORY, mesh=True, streams=True, throwaway=True,
        settings={"*": {"firewall.allow": f"tcp/{PORT}"}}, deadline=3600,
    )  # fmt: skip
    for name in ("node1", "node2"):
        put_program(folder / name)
    say(f"VM: {NODES} nodes boot")
    with Cluster(spec) as cluster:
        cluster.wait_agents(BOOT)
        mesh.wait_full(cluster, cluster.nodes, JOIN)
        joins = []
        for turn in range(sizes.rounds):
            say(f"VM: a fresh node joins, {turn + 1} of {sizes.rounds}")
            joins.append(join(cluster))
        say("VM: a quiet minute")
        time.sleep(sizes.settle)
        few = quiet(list(cluster.nodes.values()), sizes.quiet)
        say("VM: bytes from node to node")
        speed = throughput(cluster, sizes)
        say(f"VM: {MANY} members")
        try:
            many = with_many(cluster, sizes)
        except FAILURES as failure:  # of an hour's figures the last are not there
            many = {"rss": str(failure)}
        cluster.stop()
    return {
        "memory": {f"{NODES} nodes": few, f"{MANY} members": many},
        "join": {"median": middle(joins), "slowest": {key: max(one[key] for one in joins) for key in joins[0]}},
        "speed": speed,
    }


def middle(runs: list[dict[str, float]]) -> Results:
    """The median of each figure."""
    return {key: statistics.median(one[key] for one in runs) for key in runs[0]}


def put_program(folder: Path) -> None:
    """A data disk for a node with the program on it: nothing on a node could make a file executable."""
    tree = folder / "tree" / "bench"
    tree.mkdir(parents=True)
    (tree / "stream").write_bytes(program(STREAM).read_bytes())
    (tree / "stream").chmod(0o755)
    disk = folder / "data.img"
    make_sparse(disk, 512 * MIB)
    subprocess.run(["/sbin/mke2fs", "-q", "-t", "ext4", "-L", "thole-data", "-d", tree.parent, disk], check=True)


def join(cluster: Cluster) -> dict[str, float]:
    """Make the last node anew; seconds by its own clock from the start of its unit `mesh`.

    Whether it is in is asked again and again by commands on the node, so the times are late by up to one of them.
    """
    cluster.kill(FRESH)
    mesh.forget(cluster.nodes["node1"], FRESH)
    member = cluster.remake(FRESH)
    member.wait(BOOT)
    began = started(member)

    def until(condition: Callable[[dict], bool]) -> float:
        limit = time.monotonic() + JOIN
        while not condition(mesh.status(member) or {}):
            if time.monotonic() > limit:
                raise TholeError(f"{FRESH} is not in the mesh after {JOIN:.0f} s: {mesh.status(member)}")
        return uptime(member) - began

    tunnels = until(lambda answer: answer.get("up") == NODES - 1)
    settled = until(
        lambda answer: answer.get("state") == "joined" and all(peer["ipv4"] for peer in answer["peer_list"])
    )
    mesh.wait_full(cluster, cluster.nodes, JOIN)
    return {"tunnels": tunnels, "settled": settled, "all": uptime(member) - began}


def started(member: Member) -> float:
    """When the unit's process was made, in seconds since the kernel's start."""
    fields = member.read(f"/proc/{process_of(member)}/stat").rpartition(")")[2].split()
    return int(fields[19]) / 100


def uptime(member: Member) -> float:
    """Seconds since the node's kernel began."""
    return float(member.read("/proc/uptime").split()[0])


def process_of(member: Member) -> int:
    """The main process of the mesh, once it is there."""
    limit = time.monotonic() + RESTART
    while time.monotonic() < limit:
        if words := member.read(f"{GROUP}/cgroup.procs").split():
            return int(words[0])
    raise TholeError(f"{member.name} runs no mesh")


def quiet(members: list[Member], seconds: float) -> Results:
    """Medians of these nodes: memory, and what their mesh did in that time."""
    before = [usage(member) for member in members]
    time.sleep(seconds)  # nothing is to happen
    found = []
    for member, (cpu, switches) in zip(members, before, strict=True):
        used, switched = usage(member)
        share = MINUTE / seconds
        found.append(memory(member) | {"cpu": (used - cpu) * 1000 * share, "switches": (switched - switches) * share})
    return middle(found)


def usage(member: Member) -> tuple[float, int]:
    """Processor time of the mesh in seconds, and its voluntary context switches, both since it began."""
    cpu = number(r"usage_usec (\d+)", member.read(f"{GROUP}/cpu.stat")) / 1e6
    return cpu, number(r"voluntary_ctxt_switches:\s+(\d+)", member.read(f"/proc/{process_of(member)}/status"))


def memory(member: Member) -> dict[str, float]:
    """Of the mesh's process, in kB."""
    process = f"/proc/{process_of(member)}"
    status = member.read(f"{process}/status")
    return {
        "rss": number(r"VmRSS:\s+(\d+) kB", status),
        "anonymous": number(r"RssAnon:\s+(\d+) kB", status),
        "pss": number(r"^Pss:\s+(\d+) kB", member.read(f"{process}/smaps_rollup")),
    }


def number(pattern: str, text: str) -> int:
    """The first number after these words."""
    found = re.search(pattern, text, re.MULTILINE)
    if not found:
        raise TholeError(f"a node said nothing like `{pattern}`: {text[:200]}")
    return int(found[1])


def throughput(cluster: Cluster, sizes: Sizes) -> dict[str, Results]:
    """One TCP stream from node1 to node2 over both ways in turn; medians."""
    one, other = cluster.nodes["node1"], cluster.nodes["node2"]
    with other.busy:
        other.agent.command("guest-exec", path=PROGRAM, arg=["serve", str(PORT)])
    ways = {"plain link": other.address, "over wg0": (mesh.status(other) or {})["ipv4"]}
    found: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    for _ in range(sizes.rounds):
        for way, address in ways.items():
            before = usage(one)[0] + usage(other)[0]
            argv = [PROGRAM, "send", address, str(PORT), str(sizes.stream)]
            sent, seconds = one.output(*argv, timeout=sizes.stream + 60).split()
            used = usage(one)[0] + usage(other)[0] - before
            found[way].append({"rate": int(sent) / float(seconds) / 1e6, "cpu": used * 1000})
    return {way: middle(runs) for way, runs in found.items()}


def with_many(cluster: Cluster, sizes: Sizes) -> Results:
    """node1's mesh with 500 members: those that are there, and others that it believes to have known."""
    member = cluster.nodes["node1"]
    written = int(time.time()) - 60  # nodes have this machine's time
    member.output("/usr/bin/thole", "stop", "mesh")
    with member.busy:
        member.agent.write_file("/var/lib/thole/mesh/members", records.members(MANY - NODES, written))
    member.output("/usr/bin/thole", "start", "mesh")
    cluster.until(f"{MANY} members", lambda: (mesh.status(member) or {}).get("members", 0) >= MANY, JOIN)
    cluster.until("tunnels to those that are there", lambda: (mesh.status(member) or {}).get("up") == NODES - 1, JOIN)
    time.sleep(sizes.settle)
    return quiet([member], sizes.quiet)
