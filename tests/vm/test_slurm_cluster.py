"""Three nodes over the mesh: one that also controls, two that compute; nothing is copied to any of them by hand."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from vm import mpi
from vm.slurm import Nodes, Slurm, data_disk
from vm.tools import throwaway_cluster

from qemu.artifacts import Artifacts
from qemu.cluster import mesh
from qemu.cluster.cluster import Cluster
from qemu.host import MIB
from qemu.vm import Vm

NAMES = ["node1", "node2", "node3"]
IDLE = dict.fromkeys(NAMES, "idle")
BOOT, JOIN, JOB, REQUEUE = 300, 300, 240, 400
MPI = "/var/mpi"
WRONG_BY = 600  # seconds
SAVED = 6  # SLURM writes its queue every five seconds: docs/limits.md

pytestmark = pytest.mark.long  # minutes on two cores; ./thole test --all


@pytest.fixture(scope="module")
def nodes(
    slurm_artifacts: Artifacts, tmp_path_factory: pytest.TempPathFactory, watched_by_module: list[Vm]
) -> Iterator[Nodes]:
    """Idle by themselves."""
    spec = throwaway_cluster(
        slurm_artifacts, tmp_path_factory.mktemp("slurm"), nodes=3, mesh=True, memory=768 * MIB, deadline=5400
    )
    spec.settings = {
        "*": {"slurm.controller": "node1", "slurm.memory-per-cpu": "64"},
        "node1": {"slurm.role": "controller compute", "slurm.users": "alice:2000", "slurm.node-timeout": "60s"},
        "node2": {"slurm.role": "compute"},
        "node3": {"slurm.role": "compute login", "slurm.features": "big", "slurm.gpus": "/dev/full"},
    }
    tree = tmp_path_factory.mktemp("data")
    mpi.put(tree / "mpi")
    for name in NAMES:
        data_disk(spec.folder / name / "data.img", tree)
    begun = time.monotonic()
    with Cluster(spec, watched_by_module.append) as cluster:
        cluster.wait_agents(BOOT)
        made = Nodes(cluster)
        made.on("node1").wait_nodes(IDLE, JOIN)
        print(f"power-on to three idle nodes {time.monotonic() - begun:.1f} s")
        yield made
        assert cluster.stop() == []


def test_a_job_on_each(nodes: Nodes) -> None:
    """One step over all three, from the login node, as a user that only the controller's node.ini names."""
    done = nodes.on("node3").srun("--nodes=3", "--ntasks-per-node=1", "sh", "-c", "id -un; hostname")
    assert sorted(done.stdout.split()) == ["alice"] * 3 + NAMES, done


def test_addresses_are_those_of_the_mesh(nodes: Nodes) -> None:
    """Nothing of SLURM goes outside the mesh."""
    for name in NAMES:
        shown = nodes.on("node1").output("/usr/bin/scontrol", "show", "node", name)
        address = (mesh.status(nodes.cluster.nodes[name]) or {})["ipv4"]
        assert f"NodeAddr={address} " in shown, shown


def test_features(nodes: Nodes) -> None:
    """A job goes where what it asks for is."""
    job = nodes.on("node1").submit("hostname", "--constraint=big")
    assert nodes.on("node1").wait(job, JOB) == "COMPLETED"
    assert nodes.cluster.nodes["node3"].read(f"/tmp/job-{job}") == "node3\n"


def test_a_job_over_its_time_limit(nodes: Nodes) -> None:
    """It is ended at the first whole minute after it, and says why."""
    job = nodes.on("node1").submit("sleep 600", "--time=1")
    assert nodes.on("node1").wait(job, JOB) == "TIMEOUT", nodes.on("node1").detail(job)


def test_a_gpu_of_one_node(nodes: Nodes) -> None:
    """The controller knows who has one; /dev/full stands for it."""
    job = nodes.on("node1").submit("hostname; true < /dev/full && echo opened", "--gres=gpu:1")
    assert nodes.on("node1").wait(job, JOB) == "COMPLETED", nodes.on("node1").detail(job)
    assert nodes.cluster.nodes["node3"].read(f"/tmp/job-{job}") == "node3\nopened\n"


def test_doctor_finds_nothing(nodes: Nodes) -> None:
    """The whole chain, on each node."""
    for name in NAMES:
        assert {check: row for check, row in nodes.on(name).doctor().items() if not row[0]} == {}


def test_mpi(nodes: Nodes) -> None:
    """A real MPI program over two nodes, two ranks on each: they find each other by PMIx and talk over the mesh."""
    settings = [*mpi.environment(MPI), "OMPI_MCA_btl_tcp_if_include=wg0"]
    step = ("--mpi=pmix", "--nodes=2", "--ntasks=4", "--overcommit", "--mem=200")
    done = nodes.on("node1").srun(*step, "/usr/bin/env", *settings, f"{MPI}/{mpi.PROGRAM}", "4", timeout=300)
    assert done.status == 0 and "ring of 4" in done.stdout, done
    hosts = set(re.findall(r"^rank \d of 4 on (\w+)", done.stdout, re.MULTILINE))
    assert len(hosts) == 2, done.stdout


def test_a_clock_that_is_wrong(nodes: Nodes) -> None:
    """doctor names it as the cause, and with the right time all is well again."""
    member = nodes.cluster.nodes["node3"]
    move_clock(nodes.on("node3"), -WRONG_BY)
    try:
        refused = member.execute("/usr/bin/srun", "--nodes=1", "true", timeout=120)
        assert refused.status != 0, "munge took a credential of another time"
        good, detail, remedy = nodes.on("node3").doctor()["slurm clock"]
        assert not good and "10 m" in detail and "300 s" in detail and "[time]" in remedy, (detail, remedy)
    finally:
        move_clock(nodes.on("node3"), WRONG_BY)
    nodes.on("node1").wait_nodes(IDLE, JOIN)
    assert nodes.on("node3").doctor()["slurm clock"][0]


def test_a_new_secret(nodes: Nodes) -> None:
    """With the cluster's secret the munge key changes everywhere, and jobs go on."""
    job = nodes.on("node1").submit("sleep 20; echo done")
    nodes.on("node1").wait(job, JOB, {"RUNNING"})
    nodes.on("node2").output("/usr/bin/thole", "mesh", "rotate-secret")
    nodes.cluster.until(
        "steps on all nodes by the new key",
        # One whose messages met the change may wait for ever (docs/limits.md): ended, it cancels its job.
        lambda: nodes.on("node3").execute("/usr/bin/timeout", "30", "/usr/bin/srun", "--nodes=2", "true").status == 0,
        JOB,
    )
    assert nodes.on("node1").wait(job, JOB) == "COMPLETED", nodes.on("node1").detail(job)


def test_a_node_that_lost_its_power(nodes: Nodes) -> None:
    """Its job starts again elsewhere, and the node comes back by itself."""
    one = nodes.on("node1")
    jobs = [one.submit("sleep 30; hostname", "--exclusive") for _ in NAMES]
    for job in jobs:
        one.wait(job, JOB, {"RUNNING"})
    [lost] = [job for job in jobs if one.node_of(job) == "node2"]
    nodes.cluster.kill("node2")
    begun = time.monotonic()
    nodes.cluster.until("its job is in the queue again", lambda: "Restarts=1" in one.detail(lost), REQUEUE)
    print(f"requeued {time.monotonic() - begun:.1f} s after the power cut")
    for job in jobs:
        assert one.wait(job, REQUEUE) == "COMPLETED", one.detail(job)
    host = one.node_of(lost)
    assert host in ("node1", "node3") and nodes.cluster.nodes[host].read(f"/tmp/job-{lost}").endswith(f"{host}\n")
    nodes.cluster.start("node2").wait(BOOT)
    nodes.on("node1").wait_nodes(IDLE, JOIN)


def test_the_controller_lost_its_power(nodes: Nodes) -> None:
    """No job is lost that it had accepted and written: those that ran on other nodes end there, and one that ran on the
    same node starts again."""
    elsewhere = nodes.on("node1").submit("sleep 60; echo done", "--nodelist=node3")
    nodes.on("node1").wait(elsewhere, JOB, {"RUNNING"})
    here = nodes.on("node1").submit("sleep 20; hostname", "--nodelist=node1")
    nodes.on("node1").wait(here, JOB, {"RUNNING"})
    waiting = [nodes.on("node1").submit("true", "--begin=now+3minutes") for _ in range(10)]
    time.sleep(SAVED)
    nodes.cluster.kill("node1")
    nodes.cluster.start("node1").wait(BOOT)
    nodes.cluster.until("the controller answers", nodes.on("node1").nodes, JOIN)
    assert set(nodes.on("node1").jobs()) >= {str(job) for job in [elsewhere, here, *waiting]}
    assert nodes.on("node1").wait(elsewhere, JOB) == "COMPLETED", nodes.on("node1").detail(elsewhere)
    nodes.cluster.until("it is in the queue again", lambda: "Restarts=1" in nodes.on("node1").detail(here), JOIN)
    for job in [here, *waiting]:
        assert nodes.on("node1").wait(job, REQUEUE) == "COMPLETED", nodes.on("node1").detail(job)


def test_a_login_node_and_hooks(
    slurm_artifacts: Artifacts, tmp_path: Path, watched: list[Vm]
) -> None:
    """A node that only submits has configuration and users too; the controller hands out what runs before and after each job."""
    tree = tmp_path / "tree"
    (tree / "lib/site").mkdir(parents=True)
    for hook in ("prolog", "epilog"):
        (tree / "lib/site" / hook).write_text(f"#!/bin/sh\necho $SLURM_JOB_ID >> /run/{hook}\n")
    spec = throwaway_cluster(slurm_artifacts, tmp_path, nodes=2, mesh=True, memory=768 * MIB, deadline=1800)
    spec.settings = {
        "*": {"slurm.controller": "node1"},
        "node1": {
            "slurm.role": "controller compute",
            "slurm.users": "alice:2000",
            "slurm.prolog": "/var/lib/site/prolog",
            "slurm.epilog": "/var/lib/site/epilog",
        },
        "node2": {"slurm.role": "login"},
    }
    data_disk(spec.folder / "node1" / "data.img", tree)
    with Cluster(spec, watched.append) as cluster:
        cluster.wait_agents(BOOT)
        login = Nodes(cluster).on("node2")
        login.wait_nodes({"node1": "idle"}, JOIN)
        done = login.srun("sh", "-c", "echo $SLURM_JOB_ID; hostname")
        job, host = done.stdout.split()
        assert host == "node1", done
        login.wait_nodes({"node1": "idle"}, JOIN)  # after the epilog
        for hook in ("prolog", "epilog"):
            assert job in cluster.nodes["node1"].read(f"/run/{hook}").split()
        assert {check: row for check, row in login.doctor().items() if not row[0]} == {}
        assert cluster.stop() == []


def move_clock(node: Slurm, seconds: int) -> None:
    """As a wrong hardware clock would have it."""
    now = int(node.output("/usr/bin/date", "+%s"))
    node.output("/usr/bin/date", "--set", f"@{now + seconds}")
