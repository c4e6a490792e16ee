"""A power cut at any moment of an upgrade leaves a disk that starts: the old version or the new one, and whole."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from vm.cut_disk import CutDisk
from vm.cut_upgrade import Version, check, kernels, table
from vm.tools import throwaway

from driver.host_tools import tool
from image import upgrade
from image.options import Source
from qemu.artifacts import Artifacts, one
from qemu.host import MIB
from qemu.node import Node
from qemu.vm import Vm
from qemu.write_log import WriteLog

RUNNING, WRITTEN = 600.0, 600
OLD, NEW = "0.1.0", "0.2.0"
CHOICES = 3  # of what a cut may lose, at each moment
NODE_INI = "[kubernetes]\nenabled = no\n"
pytestmark = pytest.mark.long


class Recorded(NamedTuple):
    """An upgrade, write by write. `begun`: how many entries the log had before it."""

    log: WriteLog
    before: Path
    begun: int
    versions: dict[str, Version]


def sum_of(path: Path, offset: int = 0, size: int | None = None) -> str:
    """SHA-256 of a part of a file."""
    with path.open("rb") as stream:
        stream.seek(offset)
        return hashlib.sha256(stream.read() if size is None else stream.read(size)).hexdigest()


def small_bundle(build: Path, folder: Path) -> tuple[Path, Version]:
    """The next version, with a root of a few files: that is never started, and its writes can all be looked at."""
    contents = folder / "contents"
    contents.mkdir()
    (contents / "file").write_bytes(os.urandom(2 * MIB))
    root = folder / "small.erofs"
    subprocess.run([*tool("mkfs.erofs"), "--quiet", root, contents], check=True, capture_output=True)
    bundle = folder / "new.upgrade"
    upgrade.write(bundle, Source(root, one(build, "bzImage"), NEW), None)
    head, _, _ = bundle.read_bytes()[:4096].partition(b"\n\n")
    fields = {line.split()[0]: line.split()[1:] for line in head.decode().splitlines()}
    at, kernel = len(head) + 2, int(fields["kernel"][0])
    size = int(fields["root"][0])
    version = Version(sum_of(bundle, at, kernel), sum_of(bundle, at + kernel, size), fields["partition"][0], size)
    os.truncate(bundle, -(-bundle.stat().st_size // 512) * 512)
    return bundle, version


def old_version(disk: Path) -> Version:
    """What the image has."""
    partitions = table(disk)
    esp = next(part for part in partitions if part.name == "thole-esp")
    root = next(part for part in partitions if part.name == "thole-root-a")
    size = (root.last - root.first + 1) * 512
    return Version(next(iter(kernels(disk, esp).values())), sum_of(disk, root.first * 512, size), str(root.guid), size)


@pytest.fixture(scope="module")
def recorded(
    artifacts: Artifacts, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory,
    watched_by_module: list[Vm],
) -> Iterator[Recorded]:  # fmt: skip
    """A node that is upgraded, and powered off when all is written."""
    build = Path(request.config.getoption("--build"))
    folder = tmp_path_factory.mktemp("cut-upgrade")
    before = Path(shutil.copyfile(one(build, "uefi.img"), folder / "before.img"))
    disk = Path(shutil.copyfile(before, folder / "disk.img"))
    bundle, new = small_bundle(build, folder)
    log = folder / "writes.log"
    ini = folder / "node.ini"
    ini.write_text(NODE_INI)
    extra = [
        "-blockdev", f"driver=raw,node-name=bundle,read-only=on,file.driver=file,file.filename={bundle}",
        "-device", "virtio-blk-pci,drive=bundle,serial=bundle",
    ]  # fmt: skip
    config = throwaway(
        artifacts, folder / "vm", name="cut", uefi_disk=disk, node_config=ini, root_write_log=log, extra=extra, deadline=2400
    )
    vm = Vm(config)
    watched_by_module.append(vm)
    node = Node(vm.start())
    node.wait_running(RUNNING)
    with WriteLog(log) as so_far:
        begun = len(so_far.entries)
    done = node.agent.execute(("/usr/bin/thole", "upgrade", "--unsigned", "--no-reboot", "/dev/vdb"), WRITTEN)
    assert done.status == 0, done.output
    node.poweroff()
    with WriteLog(log) as whole:
        print(f"{len(whole.entries)} entries, {begun} of them before the upgrade")
        yield Recorded(whole, before, begun, {OLD: old_version(before), NEW: new})


def test_a_cut_between_writes(recorded: Recorded, tmp_path: Path) -> None:
    """The old version until one moment, and from then on the new one."""
    disk = CutDisk(recorded.log, tmp_path, recorded.before.stat().st_size, 0, recorded.before)
    found = []
    for count in range(recorded.begun, len(recorded.log.entries) + 1):
        try:
            found.append(check(disk.at(count), recorded.versions))
        except AssertionError as error:
            raise AssertionError(f"after {count} of {len(recorded.log.entries)} entries: {error}") from error
    print(f"the old version starts after {found.count(OLD)} of {len(found)} entries, the new one after {found.count(NEW)}")
    assert found == [OLD] * found.count(OLD) + [NEW] * found.count(NEW)
    assert found[0] == OLD and found[-1] == NEW


def test_a_cut_that_loses_what_was_not_flushed(recorded: Recorded, tmp_path: Path) -> None:
    """Any blocks of the writes since the last flush may be missing: what starts is one of both, and whole."""
    seed = secrets.randbelow(1 << 32)
    print(f"seed {seed}")
    disk = CutDisk(recorded.log, tmp_path, recorded.before.stat().st_size, seed, recorded.before)
    for count in range(recorded.begun, len(recorded.log.entries) + 1):
        for choice in range(CHOICES if count > recorded.log.durable(count) else 0):
            try:
                check(disk.torn(count, choice), recorded.versions)
            except AssertionError as error:
                raise AssertionError(f"after some of {count} entries (seed {seed}, choice {choice}): {error}") from error
