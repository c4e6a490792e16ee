"""A controller with slurmdbd and MariaDB: `sacct` knows what has run, also after the power was cut."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from vm.slurm import Slurm
from vm.tools import throwaway

from qemu.artifacts import Artifacts
from qemu.node import Node
from qemu.vm import Vm

BOOT, IDLE, JOB = 300, 400, 180
SAVED = 6  # SLURM writes its queue every five seconds: docs/limits.md
NODE_INI = """\
[node]
name = node0

[slurm]
role = controller compute
users = alice:2000
memory-per-cpu = 64
accounting = database
"""
pytestmark = pytest.mark.long  # minutes on two cores; ./thole test --all


def test_jobs_are_in_the_database(request: pytest.FixtureRequest, tmp_path: Path, watched: list[Vm]) -> None:
    """Two boots on one data disk, the first of which ends by a power cut."""
    artifacts = Artifacts.find(request.config.getoption("--build"), "slurm-accounting")
    ini = tmp_path / "node.ini"
    ini.write_text(NODE_INI)
    config = throwaway(artifacts, tmp_path / "vm", name="accounting", node_config=ini, deadline=1800)

    vm, slurm = start(config, watched)
    job = slurm.submit("srun true; sleep 2")
    assert slurm.wait(job, JOB) == "COMPLETED", slurm.detail(job)
    assert wait_for_record(slurm, job) == ["COMPLETED"] * 3  # the job, its script, its step
    assert "thole" in slurm.output("/usr/bin/sacctmgr", "--noheader", "show", "cluster", "format=cluster")
    time.sleep(SAVED)
    vm.kill()

    vm, slurm = start(config, watched)
    assert wait_for_record(slurm, job) == ["COMPLETED"] * 3
    Node(vm).poweroff()
    vm.console.check()


def start(config, watched: list[Vm]) -> tuple[Vm, Slurm]:
    """The node, idle."""
    vm = Vm(config)
    watched.append(vm)
    node = Node(vm.start())
    node.wait_agent(BOOT)
    slurm = Slurm(lambda *argv, timeout=60: node.agent.execute(argv, timeout))
    slurm.wait_nodes({"node0": "idle"}, IDLE)
    return vm, slurm


def wait_for_record(slurm: Slurm, job: int) -> list[str]:
    """The states that `sacct` has of a job and its steps, as soon as all of it has arrived there."""
    states: list[str] = []
    for _ in range(60):
        arguments = ("--noheader", "--parsable2", f"--jobs={job}", "--format=State")
        states = slurm.output("/usr/bin/sacct", *arguments).split()
        if len(states) == 3 and set(states) == {"COMPLETED"}:
            break
        slurm.output("/usr/bin/sleep", "1")
    return states
