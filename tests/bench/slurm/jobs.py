"""What is asked of a running node: when it is idle, what its processes take, how fast jobs start and follow each other.

The same bash scripts run in both guests, by the guest agent; times between them are of the guest's own clock.
"""

from __future__ import annotations

import re
import statistics
import time

from bench.supervisors import Results
from driver.errors import TholeError
from qemu.node import Node

LIMIT = 600.0
SLOWEST = 10.0  # seconds a job, on a machine that emulates and has other work
_PAUSE = 0.2
_LISTENS = re.compile(r"^\s*\d+: [0-9A-F]+:1AA1 [0-9A-F]+:0000 0A ", re.MULTILINE)  # 6817
_ROLLUP = re.compile(r"^/proc/(\d+)/smaps_rollup:Pss: +(\d+) kB$", re.MULTILINE)
_NAME = re.compile(r"^/proc/(\d+)/comm:(.*)$", re.MULTILINE)
_MACHINE = re.compile(r"^(Mem\w+): +(\d+) kB$", re.MULTILINE)
_THREE = re.compile(r"([\d.]+) ([\d.]+) ([\d.]+)")
_SETTING = re.compile(r"^(\w+)\s*= (.*?)\s*$", re.MULTILINE)
# The shell that asks and its child.
_OURS = ("bash", "grep")
_MEMORY = """
shopt -s nullglob
grep -s '^Pss:' /proc/[0-9]*/smaps_rollup
grep -s . /proc/[0-9]*/comm
grep -E '^(MemTotal|MemAvailable):' /proc/meminfo
"""
# A line a round: before srun, in its command, after it.
_SRUN = """
for (( round = 0; round < $1; ++round )); do
    before=$EPOCHREALTIME
    started=$(srun --quiet --mem=64 /bin/bash -c 'echo $EPOCHREALTIME') || exit
    echo "$before $started $EPOCHREALTIME"
done
"""
# A line a round: before sbatch, after it, in its script. The job that waits for it is not measured.
_SBATCH = """
out=/tmp/bench-job
for (( round = 0; round < $1; ++round )); do
    before=$EPOCHREALTIME
    id=$(sbatch --parsable --mem=64 --output=$out <<'END'
#!/bin/bash
echo $EPOCHREALTIME
END
) || exit
    submitted=$EPOCHREALTIME
    srun --quiet --mem=64 --dependency=afterany:$id /usr/bin/true || exit
    echo "$before $submitted $(< $out)"
done
"""
# Before the submission of so many jobs, after it, and when the job that waited for all of them runs.
_MANY = """
before=$EPOCHREALTIME
id=$(sbatch --parsable --mem=64 --output=/dev/null --array=1-$1 <<'END'
#!/bin/bash
/usr/bin/true
END
) || exit
submitted=$EPOCHREALTIME
last=$(srun --quiet --mem=64 --dependency=afterok:$id /bin/bash -c 'echo $EPOCHREALTIME') || exit
echo "$before $submitted $last"
"""


def wait_idle(node: Node) -> None:
    """Until sinfo calls the node idle.

    sinfo is asked as soon as the controller listens, again and again: it is late by up to one sinfo.
    """
    limit = time.monotonic() + LIMIT
    node.wait_agent(LIMIT)
    state = "the controller does not listen"
    while time.monotonic() < limit:
        if _LISTENS.search(node.agent.read_text("/proc/net/tcp")):
            done = node.agent.execute(["/usr/bin/sinfo", "--noheader", "--Node", "--format", "%T"])
            state = done.output
            if state == "idle":
                return
        time.sleep(_PAUSE)
    raise TholeError(f"after {LIMIT:.0f} s the node is not idle: {state}\n{node.vm.explain()}")


def memory(node: Node) -> Results:
    """PSS by process, and what the machine has not left, in MB."""
    return read_memory(_bash(node, _MEMORY))


def read_memory(text: str) -> Results:
    """The figures in the output of that script."""
    names = dict(_NAME.findall(text))
    sizes = [
        (names.get(pid, ""), int(size) / 1000)
        for pid, size in _ROLLUP.findall(text)
        if int(size) and names.get(pid) not in _OURS
    ]
    machine = {key: int(size) for key, size in _MACHINE.findall(text)}
    if not sizes or len(machine) < 2:
        raise TholeError(f"a node said nothing of its memory: {text[:500]}", "see tests/bench/slurm/jobs.py")
    found = {name: sum(size for owner, size in sizes if owner == name) for name in ("slurmctld", "slurmd", "munged")}
    everything = sum(size for _, size in sizes)
    return {
        **found,
        "compute": everything - found["slurmctld"],
        "processes": sum(owner != "slurmctld" for owner, _ in sizes),
        "used": (machine["MemTotal"] - machine["MemAvailable"]) / 1000,
    }


def starts(node: Node, rounds: int) -> Results:
    """Medians of seconds: srun to its command, srun to its end, sbatch to its end, sbatch to its script."""
    interactive = read_times(_bash(node, _SRUN, rounds))
    batch = read_times(_bash(node, _SBATCH, rounds))
    middle = statistics.median
    return {
        "srun": middle(started - before for before, started, _ in interactive),
        "srun-end": middle(after - before for before, _, after in interactive),
        "submit": middle(submitted - before for before, submitted, _ in batch),
        "sbatch": middle(started - before for before, _, started in batch),
    }


def rate(node: Node, count: int) -> Results:
    """So many jobs, one after the other or side by side as SLURM likes, through the node's processors."""
    (before, submitted, last), *_ = read_times(_bash(node, _MANY, count, limit=LIMIT + SLOWEST * count))
    return {"rate": count / (last - before), "array": submitted - before}


def settings(node: Node) -> dict[str, str]:
    """What the controller itself says of its configuration."""
    return dict(_SETTING.findall(node.agent.check_output(["/usr/bin/scontrol", "show", "config"], LIMIT)))


def read_times(text: str) -> list[tuple[float, float, float]]:
    """Lines of three times."""
    lines = [_THREE.fullmatch(line) for line in text.splitlines()]
    if not lines or not all(lines):
        raise TholeError(f"a node measured no times: {text[:500]}", "see tests/bench/slurm/jobs.py")
    return [tuple(map(float, line.groups())) for line in lines]


def _bash(node: Node, script: str, *arguments: int, limit: float = LIMIT) -> str:
    """The output of a script that must end with 0."""
    argv = ["/bin/bash", "-c", script, "bench", *map(str, arguments)]
    return node.agent.check_output(argv, timeout=limit)
