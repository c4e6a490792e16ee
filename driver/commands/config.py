"""Make a cluster, node.ini files of its nodes, and clients of it; check a node.ini with the node's own code.

new makes a folder with the cluster's secret; join writes the node.ini of a node, nodes those of a whole table; client makes the file with which
`./thole -n NODE ...` may talk to nodes; validate says what is wrong with a node.ini.
"""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The actions of `./thole config` and their options."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    new = actions.add_parser("new", help="make a cluster: a folder with its secret")
    new.add_argument("cluster", metavar="CLUSTER", help="its name: lower-case letters, digits and hyphens")
    new.add_argument("--range", default="10.41.0.0/16", help="IPv4 addresses of the mesh (default: %(default)s)")
    new.add_argument(
        "--seeds", nargs="+", action="extend", default=[], metavar="HOST[:PORT]",
        help="nodes that others can reach; on one network segment none is needed",
    )  # fmt: skip
    new.add_argument("--folder", type=Path, help="where (default: ./CLUSTER)")
    join = actions.add_parser("join", help="write the node.ini of a node of a cluster")
    join.add_argument("folder", type=Path, metavar="CLUSTER-FOLDER")
    join.add_argument("--name", help="the node's name (default: made from its machine-id)")
    join.add_argument("--seed", action="append", default=[], metavar="HOST[:PORT]", help="one more seed for this node")
    join.add_argument("--output", type=Path, help="the file (default: NAME.ini or node.ini in the cluster's folder)")
    nodes = actions.add_parser("nodes", help="write the node.ini of each node of a table")
    nodes.add_argument("folder", type=Path, metavar="CLUSTER-FOLDER")
    nodes.add_argument(
        "table", type=Path, metavar="TABLE", help="CSV: a first line of keys (name, network.address, ...), a line a node"
    )
    nodes.add_argument("--common", type=Path, metavar="FILE", help="a node.ini with what all of them have besides")
    client = actions.add_parser("client", help="make a client, for `./thole -n NODE ...`")
    client.add_argument("folder", type=Path, metavar="CLUSTER-FOLDER")
    client.add_argument("name", metavar="NAME", help="whose it is; nodes write it to their logs")
    client.add_argument("--role", choices=["read-only", "admin"], default="read-only", help="default: %(default)s")
    client.add_argument("--days", type=int, default=90, help="how long it is good (default: %(default)s)")
    client.add_argument("--endpoint", default="", metavar="HOST[:PORT]", help="the node to talk to by default")
    validate = actions.add_parser("validate", help="check node.ini files")
    validate.add_argument("files", nargs="+", type=Path, metavar="FILE")


def main(options: argparse.Namespace) -> int:
    """Do what was asked for."""
    action = {"new": _new, "join": _join, "nodes": _nodes, "client": _client, "validate": _validate}[options.action]
    return action(options)


def _new(options: argparse.Namespace) -> int:
    from driver import cluster_folder, node_program
    from driver.errors import TholeError

    name = cluster_folder.need_label(options.cluster, "a cluster's name")
    mesh_range = cluster_folder.need_range(options.range)
    folder = options.folder or Path(name)
    program = node_program.path()
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        raise TholeError(f"{folder} is there already, and was not touched", "give another place with --folder") from None
    shared = folder / cluster_folder.SHARED
    secret = cluster_folder.new_secret()
    try:
        cluster_folder.write_private(
            shared, cluster_folder.shared_text(name, secret, mesh_range, options.seeds, ula="")
        )
        # Written down, it stays what it is when the secret changes.
        ula = node_program.ask("config", "ula", str(shared), program=program).strip()
        shared.unlink()
        cluster_folder.write_private(
            shared, cluster_folder.shared_text(name, secret, mesh_range, options.seeds, ula)
        )
        node_program.ask("config", "check", str(shared), program=program)
    except BaseException:
        shared.unlink(missing_ok=True)
        folder.rmdir()
        raise
    print(
        f"""made the cluster '{name}' in {folder} (IPv4 {mesh_range}, IPv6 {ula})

{shared} has the secret that lets nodes in: keep it as you keep a private key.
Next:
  ./thole config join {folder} --name NODE      write the node.ini of a node, for each node
  ./thole config nodes {folder} TABLE           ... or of all nodes of a table
  ./thole config client {folder} YOUR-NAME      make a client for ./thole -n NODE status
A node that has a node.ini already joins with all lines of {shared} added to it.
A node gets its node.ini by a config disk, by QEMU's fw_cfg, or as /var/lib/thole/node.ini (mode 0600)."""
    )
    return 0


def _join(options: argparse.Namespace) -> int:
    from driver import cluster_folder, node_program

    shared = cluster_folder.shared_file(options.folder)
    text = shared.read_text()
    if options.seed:
        lines = text.splitlines()
        old = [line.partition("=")[2].strip() for line in lines if line.startswith("seeds =")]
        lines = [line for line in lines if not line.startswith("seeds =")]
        text = "\n".join([*lines, f"seeds = {', '.join([*old, *options.seed])}"]) + "\n"
    if options.name:
        text += f"\n[node]\nname = {cluster_folder.need_label(options.name, 'the name of a node')}\n"
    path = options.output or options.folder / f"{options.name or 'node'}.ini"
    cluster_folder.write_private(path, text)
    try:
        node_program.ask("config", "check", str(path))
    except BaseException:
        path.unlink()
        raise
    print(f"wrote {path}\nIt has the cluster's secret in it: hand it over by a config disk or fw_cfg, not by mail.")
    return 0


def _nodes(options: argparse.Namespace) -> int:
    from driver import cluster_folder, node_program, node_table
    from driver.errors import TholeError

    shared = cluster_folder.shared_file(options.folder).read_text()
    try:
        common = options.common.read_text() if options.common else ""
    except OSError as error:
        raise TholeError(f"{options.common} cannot be read: {error.strerror}") from None
    rows = node_table.read(options.table)
    program = node_program.path()
    written = node_table.write(
        options.folder, shared, common, rows, lambda file: node_program.ask("config", "check", str(file), program=program)
    )
    print("".join(f"wrote {path}\n" for path in written) + "They have the cluster's secret in them.")
    return 0


def _client(options: argparse.Namespace) -> int:
    from driver import cluster_folder, node_program
    from driver.errors import TholeError

    name = cluster_folder.need_label(options.name, "the name of a client")
    if not 1 <= options.days <= 3650:
        raise TholeError(f"a client cannot be good for {options.days} days", "--days from 1 to 3650")
    shared = cluster_folder.shared_file(options.folder)
    path = options.folder / f"{name}.client"
    words = ["remote-client", str(shared), name, options.role, str(options.days), options.endpoint or _seed(shared)]
    text = node_program.ask(*words)
    cluster_folder.write_private(path, text)
    print(f"wrote {path}: {options.role}, for {options.days} days\n  ./thole -n NODE --client {path} status")
    return 0


def _seed(shared: Path) -> str:
    """The host of the first seed, or nothing: a seed can be reached, and has another port for this."""
    from driver.commands.node import host_and_port

    for line in shared.read_text().splitlines():
        key, _, value = line.partition("=")
        if key.strip() == "seeds" and value.strip():
            return host_and_port(value.split(",")[0].strip())[0]
    return ""


def _validate(options: argparse.Namespace) -> int:
    from driver import node_program

    program = node_program.path()
    wrong = 0
    for file in options.files:
        wrong += node_program.hand_over("config", "check", str(file), program=program) != 0
    return 1 if wrong else 0
