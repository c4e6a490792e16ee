"""A node with two roots is upgraded, and goes back by itself from what does not start or is not healthy."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from vm.tools import throwaway

from image import upgrade
from image.options import Source
from qemu.artifacts import Artifacts, one
from qemu.checks.survival import until
from qemu.node import Node
from qemu.vm import Vm

RUNNING, WRITTEN, BACK = 600.0, 600, 1500.0
LARGER = 2 << 30
# What each version is: its number, and what its kernel's command line has that others' have not.
GOOD, PANICS, UNHEALTHY, NEXT, OLD = "0.2.0", "0.3.0", "0.4.0", "0.5.0", "0.0.9"
VERSIONS = {
    GOOD: "",
    PANICS: "init=/nowhere",
    UNHEALTHY: "thole.node.roles=broken thole.upgrade.health-timeout=30s",
    NEXT: "",
    OLD: "",
}
NODE_INI = "[kubernetes]\nenabled = no\n[upgrade]\nkeys = {key}\n"
BROKEN = "[unit]\nroles = broken\n\n[service]\ntype = oneshot\ncommand = /usr/bin/thole nothing\n"
pytestmark = pytest.mark.long


class Upgraded:
    """The node, and the disks on which it finds bundles."""

    def __init__(self, vm: Vm, places: dict[str, str]) -> None:
        self.vm = vm
        self.node = Node(vm)
        self.places = places

    def upgrade(self, what: str, *options: str) -> tuple[int, str]:
        """`thole upgrade` of a version or a name, without the reboot; exit status and output."""
        words = ("/usr/bin/thole", "upgrade", "--no-reboot", *options, self.places[what])
        done = self.node.agent.execute(words, WRITTEN)
        return done.status, done.output

    def reboot(self, wanted: str) -> None:
        """Until that version runs, and is called good."""
        boot = self.node.boot_id()
        self.node.agent.send("guest-exec", path="/usr/sbin/reboot")
        until("another boot runs", lambda: self.booted() not in ("", boot), BACK)
        until(f"version {wanted} is good", lambda: self.version() == wanted and self.good(wanted), BACK)

    def booted(self) -> str:
        """The boot that answers now; nothing where none does."""
        try:
            self.node.agent.wait(30)
            return self.node.boot_id()
        except Exception:  # noqa: BLE001 - the guest is on its way down or up
            return ""

    def version(self) -> str:
        """The version that runs now; nothing while none answers."""
        try:
            self.node.agent.wait(30)
            words = self.node.agent.read_text("/proc/cmdline").split()
        except Exception:  # noqa: BLE001 - the guest is on its way down or up
            return ""
        return next(word.partition("=")[2] for word in words if word.startswith("image.version="))

    def good(self, version: str) -> bool:
        """Whether boot-good has said so in this boot."""
        said = self.node.agent.execute(("/usr/bin/thole", "logs", "-n", "20", "boot-good"), 60).output
        return f"version {version} is good" in said


@pytest.fixture(scope="module")
def upgraded(
    artifacts: Artifacts,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    watched_by_module: list[Vm],
) -> Iterator[Upgraded]:
    """A node from the UEFI image, with a disk for each bundle."""
    build = Path(request.config.getoption("--build"))
    folder = tmp_path_factory.mktemp("upgrade")
    disk = Path(shutil.copyfile(one(build, "uefi.img"), folder / "uefi.img"))
    os.truncate(disk, disk.stat().st_size + LARGER)
    files = bundles(build, folder)
    extra = []
    for number, path in enumerate(files.values()):
        extra += [
            "-blockdev", f"driver=raw,node-name=bundle{number},read-only=on,file.driver=file,file.filename={path}",
            "-device", f"virtio-blk-pci,drive=bundle{number},serial=bundle{number}",
        ]  # fmt: skip
    ini = folder / "node.ini"
    ini.write_text(NODE_INI.format(key=upgrade.public_key(folder / "key.pem")))
    config = throwaway(
        artifacts, folder / "vm", name="upgraded", uefi_disk=disk, node_config=ini, extra=extra, deadline=7200
    )
    config.reboots = True
    vm = Vm(config)
    watched_by_module.append(vm)
    places = {name: f"/dev/vd{chr(ord('b') + number)}" for number, name in enumerate(files)}
    made = Upgraded(vm.start(), places)
    made.node.wait_running(RUNNING)
    yield made
    made.node.poweroff(60)


def bundles(build: Path, folder: Path) -> dict[str, Path]:
    """Of each version, and of what is refused: without a signature, by another's key, with a flipped byte."""
    for name in ("key", "other"):
        command = ["openssl", "genpkey", "-algorithm", "ed25519", "-out", folder / f"{name}.pem"]
        subprocess.run(command, check=True, capture_output=True)
    root, kernel = one(build, "root.erofs"), one(build, "bzImage")
    files = {}
    for version, more in VERSIONS.items():
        files[version] = folder / f"{version}.upgrade"
        upgrade.write(files[version], Source(root, kernel, version, append=more), folder / "key.pem")
    for name, key in (("unsigned", None), ("stranger", folder / "other.pem")):
        files[name] = folder / f"{name}.upgrade"
        upgrade.write(files[name], Source(root, kernel, GOOD), key)
    files["flipped"] = Path(shutil.copyfile(files[GOOD], folder / "flipped.upgrade"))
    with files["flipped"].open("r+b") as stream:
        stream.seek(-5000, os.SEEK_END)
        byte = stream.read(1)
        stream.seek(-5000, os.SEEK_END)
        stream.write(bytes([byte[0] ^ 1]))
    for path in files.values():
        os.truncate(path, -(-path.stat().st_size // 512) * 512)
    return files


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("unsigned", "it is not signed"),
        ("stranger", "none of the keys"),
        (OLD, "older than 0.1.0"),
        ("flipped", "the bundle is damaged"),
    ],
)
def test_what_is_refused_changes_nothing(upgraded: Upgraded, what: str, why: str) -> None:
    """Each says why; the version that runs is the one that starts."""
    status, said = upgraded.upgrade(what)
    assert status == 1 and why in said, said
    assert upgraded.version() == "0.1.0"


def test_an_upgrade(upgraded: Upgraded) -> None:
    """The other slot's version runs with the data of before, and is called good."""
    identity = upgraded.node.agent.read_text("/var/lib/thole/machine-id")
    status, said = upgraded.upgrade(GOOD)
    assert status == 0, said
    upgraded.reboot(GOOD)
    assert upgraded.node.agent.read_text("/var/lib/thole/machine-id") == identity
    status, said = upgraded.upgrade(GOOD)
    assert status == 1 and "runs already" in said, said


def test_a_version_that_panics_is_given_up(upgraded: Upgraded) -> None:
    """After three tries the one before runs again."""
    assert upgraded.upgrade(PANICS)[0] == 0
    upgraded.reboot(GOOD)
    assert upgraded.vm.console.text().count("Kernel panic") >= 3


def test_a_version_that_is_never_healthy_is_given_up(upgraded: Upgraded) -> None:
    """Each of its three boots ends by itself when its time is up."""
    upgraded.node.agent.execute(("/usr/bin/thole", "version"), 60)
    upgraded.node.agent.write_file("/var/lib/thole/units/broken.unit", BROKEN.encode())
    assert upgraded.upgrade(UNHEALTHY)[0] == 0
    said = "reboot: asked for by the command line"
    before = upgraded.vm.console.text().count(said)
    upgraded.reboot(GOOD)
    # The reboot into it, and one at the end of each try.
    assert upgraded.vm.console.text().count(said) == before + 4


def test_rollback(upgraded: Upgraded) -> None:
    """A version that works is given up because a person says so."""
    assert upgraded.upgrade(NEXT)[0] == 0
    upgraded.reboot(NEXT)
    done = upgraded.node.agent.execute(("/usr/bin/thole", "rollback", "--no-reboot"), 60)
    assert done.status == 0 and GOOD in done.output, done.output
    upgraded.reboot(GOOD)
    again = upgraded.node.agent.execute(("/usr/bin/thole", "rollback", "--no-reboot"), 60)
    assert again.status == 1 and "no other version" in again.output, again.output
