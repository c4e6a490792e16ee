"""A power cut at any moment of a node's first boot leaves it one identity, or none yet: never half, never a second.

One first boot is recorded, write by write. Every state that its disk went through is then made again, and such as come
of writes that the disk had not yet been told to keep; e2fsck mends them and two files are looked at, as a booting node
does. Some of them are booted.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from vm.cut_disk import BLANK, INTERRUPTED, OURS, CutDisk, Found, look, public_key
from vm.tools import throwaway

from qemu.artifacts import Artifacts
from qemu.cluster.spec import new_secret
from qemu.host import MIB
from qemu.images import check_ext4
from qemu.node import Node
from qemu.vm import Vm
from qemu.write_log import WriteLog

MEMORY, DISK = 512 * MIB, 512 * MIB
PATIENCE = 120.0


class FirstBoot(NamedTuple):
    """What was recorded. `shown`: how many entries the log had when the node showed its key to somebody."""

    log: WriteLog
    ini: Path
    machine_id: str
    public_key: str
    shown: int


@pytest.fixture(scope="module")
def first(
    artifacts: Artifacts, tmp_path_factory: pytest.TempPathFactory, watched_by_module: list[Vm]
) -> Iterator[FirstBoot]:
    """A node from an empty disk until it has shown its key, then powered off."""
    folder = tmp_path_factory.mktemp("first-boot")
    ini = folder / "node.ini"
    ini.write_text(f"[kubernetes]\nenabled = no\n[mesh]\ncluster = cut\nsecret = {new_secret()}\n")
    path = folder / "writes.log"
    node = start(artifacts, folder, ini, watched_by_module, write_log=path)
    machine_id, key = identity(node)
    with WriteLog(path) as log:
        shown = len(log.entries)
    node.poweroff()
    with WriteLog(path) as log:
        print(f"{len(log.entries)} entries, {sum(one.settles for one in log.entries)} flushes; {shown} before the key")
        yield FirstBoot(log, ini, machine_id, key, shown)


@pytest.fixture(scope="module")
def prefixes(first: FirstBoot, tmp_path_factory: pytest.TempPathFactory) -> list[Found]:
    """What a node finds after a cut between two writes: after none, one, two, ... all of them."""
    disk = CutDisk(first.log, tmp_path_factory.mktemp("prefixes"), DISK, 0)
    found = []
    for count in range(len(first.log.entries) + 1):
        with explained(f"after {count} entries"):
            found.append(look(disk.at(count)))
    return found


def test_a_cut_between_writes(first: FirstBoot, prefixes: list[Found]) -> None:
    """One identity, which once there stays, and is on the disk before anybody has seen it."""
    assert prefixes[0] == Found(BLANK)
    assert prefixes[first.log.durable(first.shown)] == Found(OURS, first.machine_id, first.public_key)
    for count, found in enumerate(prefixes):
        compare(first, prefixes, count, found)
    print(", ".join(f"{name} {count}" for name, count in moments(prefixes).items()))


@pytest.mark.parametrize("choices", [1, pytest.param(20, marks=pytest.mark.long)])
def test_a_cut_that_loses_what_was_not_flushed(
    first: FirstBoot, prefixes: list[Found], tmp_path: Path, choices: int
) -> None:
    """Any blocks of the writes since the last flush may be missing."""
    seed = secrets.randbelow(1 << 32)
    print(f"seed {seed}, log {first.log.path}")
    disk = CutDisk(first.log, tmp_path, DISK, seed)
    for count in range(len(first.log.entries) + 1):
        for choice in range(choices if count > first.log.durable(count) else 0):
            with explained(f"after some of {count} entries (seed {seed}, choice {choice})"):
                compare(first, prefixes, count, look(disk.torn(count, choice)))


@pytest.mark.parametrize(
    "moment",
    [
        *("format-begun", "no-key", "key"),
        *(pytest.param(one, marks=pytest.mark.long) for one in ("format-ends", "mounted")),
        *(pytest.param(one, marks=pytest.mark.long) for one in ("no-machine-id", "machine-id")),
    ],
)
def test_a_node_boots_after_a_cut(
    moment: str,
    artifacts: Artifacts,
    first: FirstBoot,
    prefixes: list[Found],
    tmp_path: Path,
    watched: list[Vm],
) -> None:
    """It comes up in its mesh, with what it had of an identity and what it lacked."""
    count = moments(prefixes)[moment]
    shutil.move(CutDisk(first.log, tmp_path, DISK, 0).at(count), tmp_path / "data.img")
    begun = time.monotonic()
    node = start(artifacts, tmp_path, first.ini, watched)
    machine_id, key = identity(node)
    print(f"{moment}, {count} entries: {prefixes[count].fate}; key after {time.monotonic() - begun:.1f} s")
    before = prefixes[count]
    assert machine_id == before.machine_id or before.machine_id is None
    assert key == before.public_key or before.public_key is None
    assert key == public_key(node.agent.read_file("/var/lib/thole/mesh/private.key"))
    if before.public_key is None:
        assert key != first.public_key, "a new key is the one that was lost: it is not random"
    node.poweroff()
    check_ext4(tmp_path / "data.img")
    assert look(tmp_path / "data.img") == Found(OURS, machine_id, key)


def compare(first: FirstBoot, prefixes: list[Found], count: int, found: Found) -> None:
    """What is found after a cut has nothing foreign, and nothing less than what the last flush has settled."""
    settled = prefixes[first.log.durable(count)]
    assert found.machine_id in {settled.machine_id, first.machine_id}, f"after {count} entries"
    assert found.public_key in {settled.public_key, first.public_key}, f"after {count} entries"
    assert found.fate == OURS or settled.fate != OURS, f"after {count} entries the file system is gone"


def moments(prefixes: list[Found]) -> dict[str, int]:
    """The number of entries at which a cut is worth a boot."""
    formats = [count for count, found in enumerate(prefixes) if found.fate == INTERRUPTED]
    ours = [count for count, found in enumerate(prefixes) if found.fate == OURS]
    known = [count for count in ours if prefixes[count].machine_id]
    keyed = [count for count in ours if prefixes[count].public_key]
    return {
        "format-begun": formats[len(formats) // 2],
        "format-ends": formats[-1],
        "mounted": ours[0] + 2,  # clean at first; then mounted, with a journal to replay
        "no-machine-id": known[0] - 1,
        "machine-id": known[0],
        "no-key": keyed[0] - 1,
        "key": keyed[0],
    }


@contextlib.contextmanager
def explained(when: str) -> Iterator[None]:
    """An AssertionError in it says when the power was cut."""
    try:
        yield
    except AssertionError as error:
        raise AssertionError(f"{when}: {error}") from error


def start(
    artifacts: Artifacts, folder: Path, ini: Path, watched: list[Vm], write_log: Path | None = None
) -> Node:
    """A node with a mesh, on the folder's disk."""
    config = throwaway(
        artifacts, folder, name="cut", memory=MEMORY, minimum_memory=MEMORY, cpus=1, data_size=DISK,
        node_config=ini, write_log=write_log,
    )  # fmt: skip
    vm = Vm(config)
    watched.append(vm)
    return Node(vm.start())


def identity(node: Node) -> tuple[str, str]:
    """machine-id and public key, as soon as the mesh is ready and says them."""
    node.wait_agent(PATIENCE)
    node.vm.console.wait_for(r"ready +mesh ", PATIENCE, node.vm.alive)
    answer = json.loads(node.agent.check_output(["/usr/bin/thole", "node", "--json"]))
    assert answer["public_key"], f"the mesh is ready and shows no key: {answer}"
    return answer["machine_id"], answer["public_key"]
