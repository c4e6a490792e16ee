"""A hundred boots of one node, on machines of different sizes, and none that is not as it should be."""

from __future__ import annotations

import random
import secrets
from pathlib import Path

import pytest
from vm.tools import throwaway

from qemu.artifacts import Artifacts
from qemu.host import MIB
from qemu.images import check_ext4
from qemu.node import Node
from qemu.vm import Vm

BOOTS = 100
RUNNING = 300.0
NODE_INI = "[kubernetes]\nenabled = no\n[mesh]\ncluster = boots\nsecret = q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=\n"
pytestmark = pytest.mark.long


def test_a_hundred_boots(artifacts: Artifacts, tmp_path: Path, watched: list[Vm]) -> None:
    """Each reaches its end with no unit failed and a clean console; power-offs and resets alternate by chance."""
    seed = secrets.randbelow(1 << 32)
    chance = random.Random(seed)
    print(f"seed {seed}")
    ini = tmp_path / "node.ini"
    ini.write_text(NODE_INI)
    identity, times = "", []
    for number in range(1, BOOTS + 1):
        cpus, memory = chance.choice((1, 1, 2, 3, 4)), chance.choice((512, 768, 1024, 2048)) * MIB
        config = throwaway(
            artifacts, tmp_path / f"boot{number}", name=f"boot{number}", cpus=cpus, memory=memory,
            minimum_memory=512 * MIB, node_config=ini, data_disk=tmp_path / "data.img",
        )  # fmt: skip
        vm = Vm(config)
        watched.append(vm)
        node = Node(vm.start())
        times.append(node.wait_running(RUNNING))
        machine_id = node.agent.read_text("/var/lib/thole/machine-id").strip()
        assert machine_id == (identity or machine_id), f"boot {number} has another identity"
        identity = machine_id
        assert node.agent.execute(("/usr/bin/thole", "health"), 60).status == 0, f"boot {number} ({cpus} cpus)"
        if chance.random() < 0.2:
            vm.kill()
        else:
            node.poweroff()
            check_ext4(tmp_path / "data.img")
        vm.console.check()
        watched.remove(vm)
    times.sort()
    print(f"running after {times[0]:.1f} to {times[-1]:.1f} s, median {times[len(times) // 2]:.1f} s")
