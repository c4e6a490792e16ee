"""What nodes of a cluster say of their mesh, by their own command line.

Of `thole mesh status --json` this uses: `name`, `ipv4`, `ipv6`, `state`, and `peer_list`, each with `name`, `ipv4` and
`state` (`up` when its tunnel works).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from qemu.cluster.cluster import Cluster, Member

THOLE = "/usr/bin/thole"
PING_TIMEOUT = 30


def status(member: Member) -> dict[str, Any] | None:
    """`thole mesh status --json`; None where the node has no mesh, or not yet."""
    done = member.execute(THOLE, "mesh", "status", "--json")
    if done.status != 0:
        return None
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None


def peers(member: Member) -> dict[str, dict[str, Any]]:
    """The peers of a node by name."""
    return {peer["name"]: peer for peer in (status(member) or {}).get("peer_list", [])}


def peers_up(member: Member) -> set[str]:
    """The names of peers with a tunnel that works."""
    return {name for name, peer in peers(member).items() if peer.get("state") == "up"}


def ping(member: Member, to: str) -> str:
    """`thole mesh ping`: why it failed; empty when `to` answered."""
    done = member.execute(THOLE, "mesh", "ping", to, timeout=PING_TIMEOUT)
    return "" if done.status == 0 else done.output or f"exit status {done.status}"


def forget(member: Member, name: str) -> None:
    """`thole mesh forget`: the mesh's name and address of a node that is gone are free for another."""
    member.output(THOLE, "mesh", "forget", name)


def failed_pings(cluster: Cluster, names: Iterable[str]) -> list[str]:
    """Every directed pair of these nodes of which the second does not answer the first."""
    chosen = list(names)
    return [
        f"{one} -> {other}: {problem}"
        for one in chosen
        for other in chosen
        if one != other and (problem := ping(cluster.member(one), other))
    ]


def is_full(cluster: Cluster, names: Iterable[str]) -> bool:
    """Whether each of these nodes has a working tunnel to every other."""
    chosen = set(names)
    return all(peers_up(cluster.member(name)) >= chosen - {name} for name in chosen)


def wait_full(cluster: Cluster, names: Iterable[str], timeout: float) -> float:
    """Until each of these nodes has a working tunnel to every other; the seconds that it took."""
    chosen = list(names)
    return cluster.until(f"a full mesh of {', '.join(chosen)}", lambda: is_full(cluster, chosen), timeout)
