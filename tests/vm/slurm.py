"""SLURM's commands on a node, for the VM tests."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from qemu.agent import Completed
from qemu.cluster.cluster import Cluster
from qemu.images import make_sparse

Execute = Callable[..., Completed]  # a program and its arguments, and `timeout`

FINAL = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "OUT_OF_MEMORY", "NODE_FAIL", "BOOT_FAIL"}
POLL = 0.5
DATA = 2 << 30


class Slurm:
    """A node from which jobs are submitted."""

    def __init__(self, execute: Execute) -> None:
        self.execute = execute

    def output(self, *argv: str, timeout: float = 120) -> str:
        """The output of a program that must end with 0."""
        done = self.execute(*argv, timeout=timeout)
        assert done.status == 0, f"`{' '.join(argv)}` ended with {done.status}: {done.output}"
        return done.stdout

    def submit(self, command: str, *options: str, user: str = "alice") -> int:
        """A batch job of one line for the shell; its number."""
        fixed = ("--parsable", f"--uid={user}", f"--gid={user}", "--chdir=/tmp", "--output=/tmp/job-%j")
        return int(self.output("/usr/bin/sbatch", *fixed, *options, f"--wrap={command}").split(";")[0])

    def srun(self, *arguments: str, user: str = "alice", timeout: float = 120) -> Completed:
        """A step of a user's; root may not say another user to srun as to sbatch."""
        become = ("/usr/sbin/chroot", f"--userspec={user}", "/")
        return self.execute(*become, "/usr/bin/srun", "--chdir=/tmp", *arguments, timeout=timeout)

    def jobs(self, *options: str) -> dict[str, str]:
        """The state of each job that the controller knows, by number; of an array NUMBER_TASK."""
        lines = self.output(
            "/usr/bin/squeue", "--noheader", "--array", "--states=all", "--format=%i %T", *options
        ).splitlines()
        return dict(line.split() for line in lines)

    def state(self, job: int) -> str:
        """Of one job."""
        return self.jobs(f"--jobs={job}").get(str(job), "UNKNOWN")

    def node_of(self, job: int) -> str:
        """Where a job of one node runs, or ran last."""
        return self.output("/usr/bin/squeue", "--noheader", "--states=all", f"--jobs={job}", "--format=%N").strip()

    def batch_host(self, job: int) -> str:
        """Of a job's nodes the one on which its script runs, or ran."""
        found = re.search(r"\bBatchHost=(\S+)", self.detail(job))
        assert found, f"job {job} ran nowhere: {self.detail(job)}"
        return found[1]

    def wait(self, job: int, timeout: float, wanted: set[str] | None = None) -> str:
        """Until the job is in one of these states, or, without any named, has ended."""
        limit = time.monotonic() + timeout
        while (state := self.state(job)) not in (wanted or FINAL):
            assert time.monotonic() < limit, f"job {job} is {state} after {timeout:.0f} s: {self.detail(job)}"
            assert not wanted or state not in FINAL, f"job {job} is {state}: {self.detail(job)}"
            time.sleep(POLL)
        return state

    def detail(self, job: int) -> str:
        """All that the controller says of a job, and of its nodes."""
        return self.execute("/usr/bin/scontrol", "show", "job", str(job), timeout=60).output

    def nodes(self) -> dict[str, str]:
        """The state of each node, such as idle or down*; empty where the controller does not answer."""
        done = self.execute("/usr/bin/sinfo", "--noheader", "--Node", "--format=%N %T", timeout=60)
        return dict(line.split() for line in done.stdout.splitlines()) if done.status == 0 else {}

    def wait_nodes(self, wanted: dict[str, str], timeout: float) -> float:
        """Until the nodes are in these states; the seconds that took."""
        begun = time.monotonic()
        while (found := self.nodes()) != wanted:
            assert time.monotonic() < begun + timeout, f"after {timeout:.0f} s the nodes are {found}"
            time.sleep(POLL)
        return time.monotonic() - begun

    def doctor(self) -> dict[str, tuple[bool, str, str]]:
        """What `thole doctor` says of SLURM: good or not, what it found, what to do."""
        rows = json.loads(self.execute("/usr/bin/thole", "doctor", "--json", timeout=60).stdout)
        return {
            row["check"]: (row["ok"], row["detail"], row["remedy"])
            for row in rows
            if row["check"].startswith(("slurm", "munge"))
        }


class Nodes:
    """The nodes of a cluster, and SLURM's commands on each of its nodes."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def on(self, name: str) -> Slurm:
        """Commands run there."""
        member = self.cluster.nodes[name]
        return Slurm(lambda *argv, timeout=60: member.execute(*argv, timeout=timeout))


def data_disk(path: Path, tree: Path) -> None:
    """A node's data disk with a tree of files on it."""
    path.parent.mkdir(parents=True)
    make_sparse(path, DATA)
    command = ["/sbin/mke2fs", "-q", "-t", "ext4", "-L", "thole-data", "-d", str(tree), str(path)]
    subprocess.run(command, check=True)
