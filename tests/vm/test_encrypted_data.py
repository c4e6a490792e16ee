"""An encrypted data disk: nothing on it can be read without its key, and a node that lacks the key touches nothing."""

from __future__ import annotations

import base64
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from vm.cut_disk import BLANK, INTERRUPTED, LOCKED, CutDisk, fate_of
from vm.tools import foreign_xfs, halt_message, throwaway

from qemu.artifacts import Artifacts
from qemu.host import MIB
from qemu.node import Node
from qemu.vm import Vm
from qemu.write_log import WriteLog

PATIENCE = 120.0
MEMORY, DISK = 512 * MIB, 512 * MIB
CANARY = b"a line that stands on no disk in clear"
KEPT = "/var/lib/thole/kept"


class Made(NamedTuple):
    """A first boot, with all that was written to the disk."""

    key: str
    log: WriteLog
    disk: Path
    machine_id: str


def new_key() -> str:
    """What `node.data-key` takes."""
    return base64.b64encode(os.urandom(32)).decode()


def configure(folder: Path, *lines: str) -> Path:
    """A node.ini with these lines of [node], and without Kubernetes."""
    folder.mkdir(parents=True, exist_ok=True)
    ini = folder / "node.ini"
    ini.write_text("[kubernetes]\nenabled = no\n[node]\n" + "".join(f"{line}\n" for line in lines))
    return ini


def encrypted(key: str) -> tuple[str, str]:
    """Those of an encrypted disk."""
    return "data-encryption = yes", f"data-key = {key}"


def start(artifacts: Artifacts, folder: Path, watched: list[Vm], *lines: str, write_log: Path | None = None) -> Node:
    """A node on the folder's disk."""
    vm = Vm(
        throwaway(
            artifacts, folder, name="encrypted", memory=MEMORY, minimum_memory=MEMORY, cpus=1, data_size=DISK,
            node_config=configure(folder, *lines), write_log=write_log,
        )
    )  # fmt: skip
    watched.append(vm)
    return Node(vm.start())


def write(node: Node, content: bytes) -> None:
    """Into the file that is looked for later."""
    node.agent.write_file(KEPT, content)


@pytest.fixture(scope="module")
def made(
    artifacts: Artifacts, tmp_path_factory: pytest.TempPathFactory, watched_by_module: list[Vm]
) -> Iterator[Made]:
    """A node from an empty disk, powered off with something in its data."""
    folder, key = tmp_path_factory.mktemp("encrypted"), new_key()
    path = folder / "writes.log"
    node = start(artifacts, folder, watched_by_module, *encrypted(key), write_log=path)
    node.wait_agent(PATIENCE)
    mounts = [line.split()[:3] for line in node.agent.read_text("/proc/mounts").splitlines()]
    assert ["/dev/mapper/thole-data", "/var", "ext4"] in mounts, mounts
    assert "encrypted and opened in" in node.vm.console.text()
    write(node, CANARY * 1000)
    machine_id = node.agent.read_text("/etc/machine-id")
    node.poweroff()
    node.vm.console.check()
    with WriteLog(path) as log:
        yield Made(key, log, folder / "data.img", machine_id)


@pytest.fixture
def disk(made: Made, tmp_path: Path) -> Path:
    """A copy of the encrypted disk, in the folder of a test's VM."""
    (tmp_path / "vm").mkdir()
    return Path(shutil.copy(made.disk, tmp_path / "vm" / "data.img"))


def test_nothing_of_it_is_in_clear(made: Made) -> None:
    """Neither what was written nor the key is on the disk, at any moment of the first boot."""
    content = made.disk.read_bytes()
    assert fate_of(made.disk) == LOCKED
    written = made.log.path.read_bytes()
    for hidden in (CANARY, made.machine_id.strip().encode(), made.key.encode(), base64.b64decode(made.key)):
        assert hidden not in content and hidden not in written


def test_the_key_is_in_no_log_and_no_command_line(
    made: Made, artifacts: Artifacts, disk: Path, tmp_path: Path, watched: list[Vm]
) -> None:
    """The second boot opens the same disk, and says nothing of what opened it."""
    node = start(artifacts, disk.parent, watched, *encrypted(made.key))
    node.wait_agent(PATIENCE)
    assert node.agent.read_text("/etc/machine-id") == made.machine_id
    assert node.agent.read_file(KEPT) == CANARY * 1000
    assert made.key not in node.vm.console.text()
    assert "node.data-key = (secret)" in node.agent.check_output(("/usr/bin/thole", "config", "show"))
    node.poweroff()
    node.vm.console.check()


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        pytest.param(encrypted(new_key()), "is encrypted with another key than node.data-key", id="another-key"),
        pytest.param(("data-encryption = yes",), "nothing says node.data-key", id="no-key"),
        pytest.param((), "It is encrypted: set node.data-encryption = yes", id="not-asked-for"),
    ],
)
def test_a_node_without_the_key_touches_nothing(
    artifacts: Artifacts, disk: Path, watched: list[Vm], lines: tuple[str, ...], said: str
) -> None:
    """It halts and says what it lacks."""
    before = disk.read_bytes()
    node = start(artifacts, disk.parent, watched, *lines)
    assert said in halt_message(node.vm)
    node.vm.kill()
    assert disk.read_bytes() == before


def test_a_disk_in_clear_is_not_taken_for_it(artifacts: Artifacts, tmp_path: Path, watched: list[Vm]) -> None:
    """Who swaps the disk for one of his own gets a node that halts; so does a disk of somebody else's."""
    folder = tmp_path / "vm"
    node = start(artifacts, folder, watched)
    node.wait_agent(PATIENCE)
    node.poweroff()
    before = (folder / "data.img").read_bytes()
    node = start(artifacts, folder, watched, *encrypted(new_key()))
    assert "It is not encrypted, and node.data-encryption is yes" in halt_message(node.vm)
    node.vm.kill()
    assert (folder / "data.img").read_bytes() == before


def test_a_foreign_disk_is_not_encrypted(artifacts: Artifacts, tmp_path: Path, watched: list[Vm]) -> None:
    """Only a blank one is: the node halts, as it does without encryption."""
    folder = tmp_path / "vm"
    folder.mkdir()
    foreign_xfs(folder / "data.img")
    before = (folder / "data.img").read_bytes()
    node = start(artifacts, folder, watched, *encrypted(new_key()))
    assert "holds an xfs file system. It was not touched." in halt_message(node.vm)
    node.vm.kill()
    assert (folder / "data.img").read_bytes() == before


@pytest.mark.long
def test_a_power_cut_while_it_is_made(made: Made, artifacts: Artifacts, tmp_path: Path, watched: list[Vm]) -> None:
    """At every moment the disk is blank, marked as begun, or locked; and where that changes, a node comes up."""
    seed = secrets.randbelow(1 << 32)
    print(f"seed {seed}, log {made.log.path}")
    disk = CutDisk(made.log, tmp_path, DISK, seed)
    counts = range(len(made.log.entries) + 1)
    fates = []
    for count in counts:
        fates.append(fate_of(disk.at(count)))
        for choice in range(3 if count > made.log.durable(count) else 0):
            torn = fate_of(disk.torn(count, choice))
            assert torn in (BLANK, INTERRUPTED, LOCKED), f"after some of {count} entries: {torn}"
    assert fates[0] == BLANK and fates[-1] == LOCKED
    first = fates.index(LOCKED)
    assert set(fates[first:]) == {LOCKED}
    assert set(fates[fates.index(INTERRUPTED) : first]) == {INTERRUPTED}
    for count in (first // 2, first - 1, first, first + 1, (first + counts[-1]) // 2):
        folder = tmp_path / f"after-{count}"
        folder.mkdir()
        shutil.move(CutDisk(made.log, folder, DISK, seed).at(count), folder / "data.img")
        node = start(artifacts, folder, watched, *encrypted(made.key))
        node.wait_agent(PATIENCE)
        print(f"after {count} of {counts[-1]} entries ({fates[count]}): a node")
        node.poweroff()
        node.vm.console.check()
