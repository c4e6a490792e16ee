"""`./thole cluster`: what the options and the words behind them mean."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from driver.errors import TholeError
from qemu import host
from qemu.artifacts import Artifacts
from qemu.cluster import door, table
from qemu.cluster.cluster import Cluster
from qemu.cluster.owner import Owner
from qemu.cluster.proof import check_and_print
from qemu.cluster.spec import MEMORY, ClusterSpec
from qemu.session import Session, folder_of

CHECK_DEADLINE = 3600.0
NODES = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `./thole cluster`, and the commands for one that runs."""
    parser.add_argument("--nodes", metavar="N", type=int, default=NODES, help="how many nodes (default: %(default)s)")
    parser.add_argument(
        "--node-config", metavar="FILE", type=Path, action="append", default=[],
        help="node.ini of all nodes; or given once for each node",
    )  # fmt: skip
    parser.add_argument(
        "--memory", metavar="SIZE", help="memory of each VM (default: 512M, with Kubernetes 2G)"
    )
    parser.add_argument("--cpus", metavar="N", type=int, default=1, help="processors of each VM (default: %(default)s)")
    parser.add_argument("--name", default="cluster", help="folder below build/run (default: %(default)s)")
    parser.add_argument("--fresh", action="store_true", help="begin with empty data disks and a new secret")
    parser.add_argument(
        "--seeds", metavar="N", type=int, default=0,
        help="give the first N nodes as the mesh's seeds (default: nodes find each other on their network)",
    )  # fmt: skip
    parser.add_argument(
        "--uplink", action="store_true", help="a gateway to this machine's network, and a port to node1's API server"
    )
    parser.add_argument(
        "--check", action="store_true", help="run the checks on a cluster of its own, and print a table"
    )
    actions = parser.add_subparsers(dest="action", metavar="COMMAND", title="for a cluster that runs")

    def action(name: str, text: str) -> argparse.ArgumentParser:
        made = actions.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        made.add_argument("--name", default=argparse.SUPPRESS, help="its name, where it was started with one")
        return made

    one = action("exec", "run a command on a node: exec NODE -- COMMAND...")
    one.add_argument(
        "--timeout", metavar="SECONDS", type=float, default=600, help="how long it may take (default: %(default)s)"
    )
    one.add_argument("node", metavar="NODE")
    one.add_argument("argv", metavar="COMMAND", nargs=argparse.REMAINDER)
    action("status", "how the nodes stand").add_argument("--json", action="store_true", help="all of it, as JSON")
    action("stop", "power all nodes off, and end it")
    for name, text in (
        ("kill", "a power cut for a node"),
        ("start", "start a node that does not run"),
        ("remake", "start a node anew, with an empty data disk"),
        ("unplug", "pull a node's network cable"),
        ("plug", "put it in again"),
    ):
        action(name, text).add_argument("node", metavar="NODE")
    action("partition", "cut the network, for instance node1,node2|node3 (in quotes)").add_argument(
        "groups", metavar="A,B|C,D"
    )
    action("heal", "end a partition and the loss of frames")
    action("loss", "lose frames by chance").add_argument("share", metavar="PERCENT", type=float)
    action("capture", "write what nodes send to a pcap file; without FILE end that").add_argument(
        "file", metavar="FILE", nargs="?"
    )


def prepare(options: argparse.Namespace, profile: str) -> ClusterSpec:
    """The cluster that the options describe, checked, before anything is built or changed."""
    kubernetes = "kubernetes" in profile.split(",")
    memory = host.parse_size(options.memory) if options.memory else MEMORY["kubernetes" if kubernetes else "base"]
    folder = folder_of(options.name)
    if not options.check and folder.is_dir() and (connection := door.connect(folder)):
        connection.close()
        raise TholeError(
            f"a cluster `{options.name}` runs already",
            "use it, end it (./thole cluster stop), or start another beside it with --name NAME",
        )
    spec = ClusterSpec(
        artifacts=None,  # type: ignore[arg-type] - they may have to be built first
        folder=folder,
        name=options.name,
        nodes=options.nodes,
        memory=memory,
        cpus=options.cpus,
        kubernetes=kubernetes,
        node_configs=options.node_config,
        seeds=options.seeds,
        uplink=options.uplink or kubernetes,  # whose programs want a default route
    )
    spec.check()
    return spec


def run(spec: ClusterSpec, options: argparse.Namespace) -> int:
    """Start it, and stay until it ends; with --check run the checks."""
    spec = dataclasses.replace(spec, artifacts=Artifacts.find())
    if options.check:
        with tempfile.TemporaryDirectory(prefix="thole-check-") as folder:
            made = dataclasses.replace(spec, folder=Path(folder) / spec.name, throwaway=True, deadline=CHECK_DEADLINE)
            return check_and_print(Cluster(made))
    with Session(spec.folder, "./thole cluster", "--name NAME"):
        cluster = Cluster(spec)
        if options.fresh:
            cluster.forget_disks()
        try:
            return Owner(cluster.start_all()).run()
        finally:
            cluster.close()


def act(options: argparse.Namespace) -> int:
    """One command for a cluster that runs; the exit status, of `exec` the command's own."""
    folder = folder_of(options.name)
    if not folder.is_dir():
        raise TholeError(f"no cluster `{options.name}` runs", "./thole cluster --nodes N starts one")
    special = _SPECIAL.get(options.action)
    if special:
        return special(folder, options)
    node = {"node": options.node} if hasattr(options, "node") else {}
    door.ask(folder, options.action, **node)
    return 0


def _exec(folder: Path, options: argparse.Namespace) -> int:
    argv = options.argv[1:] if options.argv[:1] == ["--"] else options.argv
    done = door.ask(folder, "exec", node=options.node, argv=argv, timeout=options.timeout)
    sys.stdout.write(done["stdout"])
    sys.stdout.flush()
    sys.stderr.write(done["stderr"])
    return int(done["status"])


def _status(folder: Path, options: argparse.Namespace) -> int:
    report: dict[str, Any] = door.ask(folder, "status")
    print(json.dumps(report, indent=2) if options.json else "\n".join(table.lines(report["nodes"])))
    return 0


def _stop(folder: Path, _options: argparse.Namespace) -> int:
    late = door.ask(folder, "stop")
    if late:
        print(f"{', '.join(late)} did not power off and lost their power", file=sys.stderr)
    return 1 if late else 0


def _partition(folder: Path, options: argparse.Namespace) -> int:
    groups = [[name.strip() for name in part.split(",") if name.strip()] for part in options.groups.split("|")]
    door.ask(folder, "partition", groups=groups)
    return 0


def _loss(folder: Path, options: argparse.Namespace) -> int:
    if not 0 <= options.share <= 100:
        raise TholeError(f"{options.share:g} % is no loss", "give a number from 0 to 100")
    door.ask(folder, "loss", share=options.share / 100)
    return 0


def _capture(folder: Path, options: argparse.Namespace) -> int:
    frames = door.ask(folder, "capture", path=str(Path(options.file).absolute()) if options.file else "")
    if not options.file:
        print(f"{frames} frames")
    return 0


_SPECIAL: dict[str, Callable[[Path, argparse.Namespace], int]] = {
    "exec": _exec,
    "status": _status,
    "stop": _stop,
    "partition": _partition,
    "loss": _loss,
    "capture": _capture,
}
