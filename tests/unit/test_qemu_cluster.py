"""What a cluster is made of, how it is shown, and how it is talked to, without a VM."""

from __future__ import annotations

import base64
import io
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from driver.errors import TholeError
from qemu.cluster import door, spec, table
from qemu.cluster.cluster import Cluster, ClusterError
from qemu.cluster.owner import Follower
from qemu.cluster.spec import ClusterSpec
from qemu.host import MIB


def make(folder: Path, **more: Any) -> ClusterSpec:
    return ClusterSpec(artifacts=None, folder=folder, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"nodes": 0}, "0 nodes are no cluster"),
        ({"nodes": -1}, "-1 nodes"),
        ({"nodes": 1000}, "1000 nodes"),
        ({"cpus": 0}, "0 processors"),
        ({"memory": 10 * MIB}, "10 MiB of memory are too little"),
        ({"nodes": 200, "memory": 1 << 40}, "200 nodes of 1048576 MiB"),
        ({"seeds": 4}, "4 of 3 nodes cannot be seeds"),
        ({"nodes": 9, "seeds": 7}, "--seeds a number up to 6"),
        ({"node_configs": [Path("/nonexistent")]}, "/nonexistent is not there"),
        ({"node_configs": [Path("/nonexistent")] * 2}, "2 node configurations are given for 3 nodes"),
    ],
)
def test_wrong_clusters_are_refused(tmp_path: Path, more: dict[str, Any], problem: str) -> None:
    """With a message, and before anything is made."""
    with pytest.raises(TholeError, match=problem):
        make(tmp_path / "cluster", **more).check()
    assert not (tmp_path / "cluster").exists()


@pytest.mark.parametrize(
    "line", ["[node]\nname = x\n", "[network]\naddress=dhcp\n", "# x\n[ network ]\n  \ninterface = eth1"]
)
def test_a_persons_file_leaves_identities_to_the_cluster(tmp_path: Path, line: str) -> None:
    path = tmp_path / "mine.ini"
    path.write_text(line)
    with pytest.raises(TholeError, match=r"mine\.ini sets (node|network)\.\w+, which the cluster gives"):
        make(tmp_path, node_configs=[path]).check()


def test_what_a_node_is_told(tmp_path: Path) -> None:
    """The person's lines stand first and as they are, so that their numbers hold; what they set is not added."""
    path = tmp_path / "mine.ini"
    path.write_text("; mine\n[mesh]\nsecret = own\n[time]\nservers = 10.0.0.1\n   10.0.0.2")
    settings = {"*": {"log.a": "1"}, "node2": {"log.a": "2"}}
    made = make(tmp_path, node_configs=[path], mesh=True, seeds=2, uplink=True, settings=settings)
    text = made.ini("node2", "generated")
    assert text.startswith(path.read_text() + "\n\n# Added by ./thole cluster.\n")
    assert "generated" not in text
    added = text.partition("# Added")[2]
    for line in (
        "[node]\nname = node2", "address = 192.168.73.2/24", "gateway = 192.168.73.254", "enabled = no",
        "cluster = cluster", "seeds = 192.168.73.1, 192.168.73.2", "[log]\na = 2",
    ):  # fmt: skip
        assert line in added
    assert text.count("[mesh]") == 2 and added.count("[network]") == 1
    with pytest.raises(TholeError, match=r"time\.servers of node1 stands"):
        make(tmp_path, node_configs=[path], settings={"node1": {"time.servers": "x"}}).ini("node1", "")
    alone = make(tmp_path, mesh=False).ini("node1", "s")
    assert "[mesh]" not in alone and "gateway" not in alone


def test_one_file_for_each_node(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.ini" for number in range(3)]
    for number, path in enumerate(paths):
        path.write_text(f"[time]\nservers = 10.0.0.{number}\n")
    made = make(tmp_path, node_configs=paths)
    made.check()
    assert "servers = 10.0.0.1" in made.ini("node2", "")


def test_the_secret_is_kept_and_private(tmp_path: Path) -> None:
    secret = spec.kept_secret(tmp_path)
    assert len(base64.b64decode(secret)) == 32 and spec.kept_secret(tmp_path) == secret
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600
    path = tmp_path / "open"
    path.write_text("")
    path.chmod(0o666)
    spec.write_private(path, "x")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_unknown_nodes_and_partitions_that_are_none(tmp_path: Path) -> None:
    cluster = Cluster(make(tmp_path))
    with pytest.raises(ClusterError, match="no node `node1`"):
        cluster.kill("node1")
    with pytest.raises(ClusterError, match="was not started"):
        _ = cluster.wire


class Asked:
    """The other side of a door."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []

    def __call__(self, request: dict[str, Any]) -> Any:
        self.requests.append(request)
        if request["command"] == "fail":
            raise TholeError("what", "remedy")
        return request.get("node")


def test_a_door_in_a_deep_folder(tmp_path: Path) -> None:
    """The folder's path may be longer than a socket's may."""
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    with pytest.raises(TholeError, match="no cluster `x+` runs"):
        door.ask(folder, "status")
    asked = Asked()
    with door.Door(folder, asked):
        assert stat.S_IMODE((folder / door.NAME).stat().st_mode) == 0o600
        assert door.ask(folder, "start", node="node1") == "node1"
        with pytest.raises(TholeError, match="what\n  remedy: remedy"):
            door.ask(folder, "fail")
        many = [threading.Thread(target=door.ask, args=(folder, "x")) for _ in range(20)]
        for one in many:
            one.start()
        for one in many:
            one.join()
    assert len(asked.requests) == 22
    assert door.connect(folder) is None


def test_consoles_are_printed_by_whole_lines(tmp_path: Path) -> None:
    log = tmp_path / "console.log"
    follower, shown = Follower("node1", log, 7), io.StringIO()
    follower.follow(shown)
    log.write_bytes(b"\x1b[1mone\x1b[0m\r\ntw")
    follower.follow(shown)
    with log.open("ab") as file:
        file.write(b"o\n")
    follower.follow(shown)
    log.write_bytes(b"new\n")  # another boot
    follower.follow(shown)
    assert shown.getvalue() == "node1   | one\nnode1   | two\nnode1   | new\n"


def test_the_table(tmp_path: Path) -> None:
    row = {"name": "node1", "address": "192.168.73.1", "vm": "up", "seconds": 3.0}
    units = {"ready": 4, "waiting": ["a"], "failed": ["b", "c"]}
    mesh = {"ipv4": "10.41.1.2", "state": "joined", "up": 1, "peers": 2}
    lines = table.lines([{**row, "units": units, "mesh": mesh}, {**row, "units": None, "mesh": None}])
    assert lines[1].split("  ")[-2:] == ["4 ready, 1 on the way, failed: b c", "10.41.1.2, joined, 1 of 2 peers up"]
    assert lines[2].split() == ["node1", "192.168.73.1", "up", "3", "s", "-", "-"]
    assert max(map(len, table.lines([{**row, "units": units, "mesh": mesh}], width=30))) == 30
