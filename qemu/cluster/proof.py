"""`./thole cluster --check`: what a cluster must do, one check after the other, and a table of how it went."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from qemu.checks.registry import Check, Result, expect, expect_equal, run_check
from qemu.checks.table import line_of
from qemu.cluster import mesh
from qemu.cluster.cluster import Cluster, Member
from qemu.images import check_ext4

BACK = 60.0  # seconds that a mesh may take to be whole again
PARTED = 180.0


@dataclass
class Proof:
    """The cluster under test, and what the checks found so far."""

    cluster: Cluster
    results: dict[str, Result] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """All nodes."""
        return list(self.cluster.nodes)

    @property
    def last(self) -> Member:
        """The node that is hurt."""
        return self.cluster.nodes[self.names[-1]]


Function = Callable[[Proof], str | None]
_CHECKS: list[tuple[Check, bool]] = []


def check(title: str, needs: tuple[str, ...] = (), of_mesh: bool = False) -> Callable[[Function], Function]:
    """Make a check of a function, as in qemu/checks; those of the mesh run where nodes have one."""

    def register(function: Function) -> Function:
        name = function.__name__.replace("_", "-")
        _CHECKS.append((Check(name, title, function, needs), of_mesh))  # type: ignore[arg-type]
        return function

    return register


@check("all nodes boot and their guest agents answer")
def boots(proof: Proof) -> str:
    return f"{proof.cluster.wait_agents(60 + 60 * len(proof.names)):.1f} s"


@check("each node has its own name, machine-id and address", needs=("boots",))
def identities(proof: Proof) -> None:
    machines = set()
    for member in proof.cluster.nodes.values():
        expect_equal("the host name", member.read("/proc/sys/kernel/hostname").strip(), member.name)
        expect(member.address in member.read("/proc/net/fib_trie"), f"{member.name} does not have {member.address}")
        machines.add(member.read("/etc/machine-id").strip())
    expect_equal("the number of machine-ids", len(machines), len(proof.names))


@check("all nodes answer on the network", needs=("boots",))
def answer(proof: Proof) -> str:
    return reached(proof.cluster, proof.names)


@check("every node has a tunnel to every other", needs=("boots",), of_mesh=True)
def full_mesh(proof: Proof) -> str:
    return f"{mesh.wait_full(proof.cluster, proof.names, BACK):.1f} s"


@check("every node's ping reaches every other over the mesh", needs=("full-mesh",), of_mesh=True)
def pings(proof: Proof) -> str:
    failed = mesh.failed_pings(proof.cluster, proof.names)
    expect(not failed, f"{len(failed)} pings have no answer:\n" + "\n".join(failed))
    return f"{len(proof.names) * (len(proof.names) - 1)} directed pings"


@check("a power cut takes a node away, and it comes back as itself", needs=("answer",))
def comes_back(proof: Proof) -> str:
    name = proof.last.name
    before = proof.last.read("/etc/machine-id")
    proof.cluster.kill(name)
    with proof.cluster.probe() as probe:
        expect(probe.ping(proof.last.address, 2) is None, f"{name} answers without power")
    begun = time.monotonic()
    proof.cluster.start(name).wait()
    expect_equal("the machine-id", proof.last.read("/etc/machine-id"), before)
    reached(proof.cluster, [name])
    return f"{time.monotonic() - begun:.1f} s"


@check("a node made anew is another machine with the same name", needs=("comes-back",))
def made_anew(proof: Proof) -> str:
    before = proof.last.read("/etc/machine-id")
    proof.cluster.kill(proof.last.name)
    if proof.cluster.spec.mesh:  # else its old self would keep the name for hours
        mesh.forget(proof.cluster.member(proof.names[0]), proof.last.name)
    begun = time.monotonic()
    proof.cluster.remake(proof.last.name).wait()
    expect(proof.last.read("/etc/machine-id") != before, "it has its old machine-id")
    reached(proof.cluster, [proof.last.name])
    return f"{time.monotonic() - begun:.1f} s"


@check("the mesh takes it in again", needs=("made-anew", "full-mesh"), of_mesh=True)
def mesh_takes_it_in(proof: Proof) -> str:
    seconds = mesh.wait_full(proof.cluster, proof.names, BACK)
    pings(proof)
    return f"{seconds:.1f} s"


@check("a partition cuts the network, and only there", needs=("answer",))
def partition(proof: Proof) -> str:
    here, there = proof.names[: len(proof.names) // 2], proof.names[len(proof.names) // 2 :]
    expect(here, "one node cannot be parted from itself")
    with proof.cluster.probe() as probe:
        proof.cluster.wire.partition([[*here, probe.name], there])
        silent = [name for name in here if probe.ping(proof.cluster.member(name).address, 5) is None]
        heard = [name for name in there if probe.ping(proof.cluster.member(name).address, 1) is not None]
        proof.cluster.heal()
        expect(not silent, f"{silent} do not answer in their own part")
        expect(not heard, f"{heard} answer from the other part")
    reached(proof.cluster, proof.names)
    return f"{','.join(here)}|{','.join(there)}"


@check("the mesh heals by itself after a partition of three minutes", needs=("full-mesh", "partition"), of_mesh=True)
def mesh_heals(proof: Proof) -> str:
    half = len(proof.names) // 2
    proof.cluster.partition([proof.names[:half], proof.names[half:]])
    time.sleep(PARTED)
    for part in (proof.names[:half], proof.names[half:]):
        failed = mesh.failed_pings(proof.cluster, part)
        expect(not failed, "pings within one part have no answer:\n" + "\n".join(failed))
    proof.cluster.heal()
    begun = time.monotonic()
    proof.cluster.until("all pings answered", lambda: not mesh.failed_pings(proof.cluster, proof.names), BACK)
    return f"whole {time.monotonic() - begun:.1f} s after the end of the partition"


@check("all nodes power off in order, with clean data disks", needs=("boots",))
def powers_off(proof: Proof) -> str:
    begun = time.monotonic()
    late = proof.cluster.stop()
    expect(not late, f"{', '.join(late)} did not power off")
    seconds = time.monotonic() - begun
    for member in proof.cluster.nodes.values():
        check_ext4(member.folder / "data.img")
    return f"{seconds:.1f} s"


@check("no console shows trouble", needs=("boots",))
def quiet_consoles(proof: Proof) -> str:
    proof.cluster.check_consoles()
    return f"{sum(member.boots for member in proof.cluster.nodes.values())} boots"


def reached(cluster: Cluster, names: list[str]) -> str:
    """Expect a host on the switch to get an answer from these nodes."""
    with cluster.probe() as probe:
        times = {name: probe.ping(cluster.member(name).address, 10) for name in names}
    silent = [name for name, seconds in times.items() if seconds is None]
    expect(not silent, f"{', '.join(silent)} do not answer a ping")
    return f"slowest {max(seconds or 0 for seconds in times.values()) * 1000:.1f} ms"


def check_and_print(cluster: Cluster) -> int:
    """Run all checks on a cluster that is not started yet; print the table; 0 when all passed."""
    cluster.spec.settle()
    checks = [one for one, of_mesh in _CHECKS if cluster.spec.mesh or not of_mesh]
    width = max(len(one.name) for one in checks)
    failed = 0
    try:
        proof = Proof(cluster.start_all())
        for one in checks:
            result = run_check(proof, one)  # type: ignore[arg-type]
            print(line_of(result, width), flush=True)
            failed += not result.passed
        if failed:
            print("\n" + cluster.explain(), file=sys.stderr)
    finally:
        cluster.close()
    print(f"\n{len(checks) - failed} passed, {failed} failed")
    return 1 if failed else 0
