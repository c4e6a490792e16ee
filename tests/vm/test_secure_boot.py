"""Secure Boot: a machine takes our keys once, starts what they signed, and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from vm.tools import throwaway

from driver import signed
from image import secure_boot
from qemu.artifacts import Artifacts, one
from qemu.node import Node
from qemu.vm import Vm

RUNNING, REFUSED = 900.0, 300
VARIABLE = "/sys/firmware/efi/efivars/{}-8be4df61-93ca-11d2-aa0d-00e098032b8c"
NO_KUBERNETES = "[kubernetes]\nenabled = no\n"
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def disk(build: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A disk that is signed with keys made for it; `./thole keys` and `./thole build --keys` do the same."""
    folder = tmp_path_factory.mktemp("secure-boot")
    keys = secure_boot.make(folder / "keys")
    made = signed.make(build, "uefi", keys.folder, folder)
    return made[0]


def flag(node: Node, name: str) -> int:
    """A variable of one byte, behind four of attributes."""
    return node.agent.read_file(VARIABLE.format(name))[4]


def test_ours_starts_and_anothers_does_not(
    artifacts: Artifacts, build: Path, disk: Path, tmp_path: Path, watched: list[Vm]
) -> None:
    """In set-up mode the boot loader enrols the keys and reboots; from then on the firmware checks."""
    ini = tmp_path / "node.ini"
    ini.write_text(NO_KUBERNETES)
    config = throwaway(
        artifacts, tmp_path / "vm", name="secure", uefi_disk=disk, node_config=ini, secure_boot=True, deadline=1800
    )
    config.reboots = True
    vm = Vm(config)
    watched.append(vm)
    node = Node(vm.start())
    print(f"running {node.wait_running(RUNNING):.1f} s after power-on")
    assert flag(node, "SecureBoot") == 1 and flag(node, "SetupMode") == 0
    node.poweroff()
    vm.console.check()

    unsigned = Path(shutil.copyfile(one(build, "uefi.img"), tmp_path / "unsigned.img"))
    config.uefi_disk = unsigned
    other = Vm(config)
    watched.append(other)
    other.start()
    said = other.console.wait_for(r"Access Denied|Security Violation", REFUSED, other.alive)
    print(said[0])
    assert "Linux version" not in other.console.text()
    other.kill()
