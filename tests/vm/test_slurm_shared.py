"""Two controllers that share their queue on an NFS server, which has the users' homes as well."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest
from vm import nfs
from vm.slurm import Nodes, Slurm, data_disk
from vm.tools import throwaway_cluster

from qemu.artifacts import Artifacts
from qemu.cluster.cluster import Cluster
from qemu.host import MIB
from qemu.vm import Vm

SERVER = "node3"  # has the files, and no other part in SLURM than that of a login node
CONTROLLERS = ["node1", "node2"]
IDLE = dict.fromkeys(CONTROLLERS, "idle")
BOOT, JOIN, JOB, TAKE_OVER = 300, 300, 240, 240
SLURM, ALICE = 64030, 2000
SAVED = 6  # SLURM writes its queue every five seconds: docs/limits.md

pytestmark = pytest.mark.long  # minutes on two cores; ./thole test --all


@pytest.fixture(scope="module")
def nodes(
    slurm_artifacts: Artifacts, tmp_path_factory: pytest.TempPathFactory, watched_by_module: list[Vm]
) -> Iterator[Nodes]:
    """Idle, as soon as the server is up."""
    spec = throwaway_cluster(
        slurm_artifacts, tmp_path_factory.mktemp("shared"), nodes=3, mesh=True, memory=768 * MIB, deadline=3600
    )
    controller = {
        "slurm.role": "controller compute",
        "slurm.users": f"alice:{ALICE}",
        "slurm.state": f"{SERVER}:/state",
        "slurm.home": f"{SERVER}:/home",
        "slurm.controller-timeout": "20s",
        "slurm.memory-per-cpu": "64",
    }
    spec.settings = {
        "*": {"slurm.controller": " ".join(CONTROLLERS)},
        SERVER: {"slurm.role": "login"},
        **{name: controller for name in CONTROLLERS},
    }
    tree = tmp_path_factory.mktemp("data")
    nfs.put(tree, {"state": SLURM, "home": 0})
    home = tree / "nfs" / "export" / "home" / "alice"
    home.mkdir()
    os.chown(home, ALICE, ALICE)
    data_disk(spec.folder / SERVER / "data.img", tree)
    with Cluster(spec, watched_by_module.append) as cluster:
        cluster.wait_agents(BOOT)
        nfs.start(cluster.nodes[SERVER].execute)
        made = Nodes(cluster)
        made.on(SERVER).wait_nodes(IDLE, JOIN)
        yield made
        assert cluster.stop() == []


def test_homes_are_shared(nodes: Nodes) -> None:
    """What a job writes into its user's home on one node is there on the other, and is the user's."""
    slurm = nodes.on(SERVER)
    words = "cd /home/alice && id -un > $(hostname) && sync . && sleep 1"
    done = slurm.srun("--nodes=2", "--ntasks-per-node=1", "sh", "-c", words)
    assert done.status == 0, done
    for name in CONTROLLERS:
        folder = f"/var/nfs/export/home/alice/{name}"
        assert nodes.cluster.nodes[SERVER].read(folder) == "alice\n"
        assert slurm.output("/usr/bin/stat", "--format=%u:%g", folder).strip() == f"{ALICE}:{ALICE}"
    both = slurm.srun("--nodelist=node2", "sh", "-c", "cat /home/alice/node1 /home/alice/node2")
    assert both.stdout == "alice\nalice\n", both


def test_the_second_controller_takes_over(nodes: Nodes) -> None:
    """The first one loses its power: what waits and what runs elsewhere goes on, and the first is in charge again when
    it is back."""
    slurm = nodes.on(SERVER)
    assert in_charge(slurm) == "node1"
    running = slurm.submit("sleep 60; echo done", "--nodelist=node2")
    slurm.wait(running, JOB, {"RUNNING"})
    waiting = [slurm.submit("true", "--begin=now+2minutes") for _ in range(5)]
    time.sleep(SAVED)
    nodes.cluster.kill("node1")
    begun = time.monotonic()
    nodes.cluster.until("the second controller is in charge", lambda: in_charge(slurm) == "node2", TAKE_OVER)
    print(f"the second controller answers {time.monotonic() - begun:.1f} s after the power cut")
    assert set(slurm.jobs()) >= {str(job) for job in [running, *waiting]}
    assert slurm.wait(running, JOB) == "COMPLETED", slurm.detail(running)
    there = slurm.submit("hostname", "--nodelist=node2")
    assert slurm.wait(there, JOB) == "COMPLETED", slurm.detail(there)
    rows = nodes.on("node2").doctor()
    assert rows["slurm controller"][0] and "node1" in rows["slurm controller"][1], rows

    nodes.cluster.start("node1").wait(BOOT)
    nodes.cluster.until("the first controller is in charge again", lambda: in_charge(slurm) == "node1", TAKE_OVER)
    for job in waiting:
        assert slurm.wait(job, JOB) == "COMPLETED", slurm.detail(job)
    slurm.wait_nodes(IDLE, JOIN)
    for name in [*CONTROLLERS, SERVER]:
        assert {check: row for check, row in nodes.on(name).doctor().items() if not row[0]} == {}


def test_the_queue_of_another_is_refused(nodes: Nodes) -> None:
    """A folder that is not slurm's own is named, and is not left mounted."""
    done = nodes.cluster.nodes[SERVER].execute("/sbin/init", "slurm", "state", f"{SERVER}:/home", timeout=60)
    assert done.status == 1 and f"chown {SLURM}:{SLURM}" in done.output, done
    assert "/var/lib/slurm/controller" not in nodes.cluster.nodes[SERVER].read("/proc/mounts")


def test_power_off_without_the_server(nodes: Nodes) -> None:
    """Who has its files mounted still powers off, and does not wait for it to come back."""
    nodes.cluster.kill(SERVER)
    begun = time.monotonic()
    assert nodes.cluster.stop() == []
    print(f"powered off {time.monotonic() - begun:.1f} s after the power button")


def in_charge(slurm: Slurm) -> str:
    """The controller that answers, empty where none does."""
    done = slurm.execute("/usr/bin/scontrol", "show", "config", timeout=60)
    if done.status != 0:
        return ""
    lines = slurm.execute("/usr/bin/scontrol", "ping", timeout=60).stdout.splitlines()
    up = [line.split(" at ")[1].split(" ")[0] for line in lines if line.endswith("is UP")]
    return up[0] if up else ""
