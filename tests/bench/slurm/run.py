"""`./thole bench slurm`: measure, print, write into docs/benchmarks.md."""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from bench import machine, table
from bench.slurm import jobs, sides
from bench.slurm.sides import Side
from bench.supervisors import FAILURES, Results, Say, reason
from bench.table import Line
from driver.apt import Apt
from driver.display import Display
from driver.errors import TholeError
from driver.paths import CHECKOUT
from qemu import host
from qemu.artifacts import Artifacts
from qemu.node import Node
from qemu.vm import Vm

DOCUMENT = CHECKOUT / "docs" / "benchmarks.md"
BOOTS, STARTS, JOBS, QUICK_JOBS = 3, 10, 1000, 50
SETTLED, OFF = 20.0, 120.0
BOOT_LINES = (
    Line("first", "power-on to the first idle node, empty disk, s", 1),
    Line("again", "power-on to an idle node, the next boots, s", 1),
)
MEMORY_LINES = (
    Line("compute", "PSS of all processes but slurmctld: the idle compute role, MB", 1),
    Line("processes", "so many processes"),
    Line("slurmd", "of it slurmd, MB", 1),
    Line("munged", "of it munged, MB", 1),
    Line("slurmctld", "PSS of slurmctld, MB", 1),
    Line("used", "memory that is not available any more (with the controller), MB", 1),
)
START_LINES = (
    Line("srun", "srun to its command's start, s", 2),
    Line("srun-end", "srun to its end, s", 2),
    Line("submit", "sbatch to its end, s", 2),
    Line("sbatch", "sbatch to its script's start, s", 2),
)
# What cannot be the same, or is but the place where things lie.
_PLACES = frozenset(
    "BOOT_TIME NEXT_JOB_ID SLURM_CONF SlurmctldHost HASH_VAL StateSaveLocation SlurmdSpoolDir CommunicationParameters "
    "SlurmctldPidFile SlurmdPidFile MULTIPLE_SLURMD".split()
)


def chosen(options: argparse.Namespace) -> tuple[Side, ...]:
    """The columns that are asked for, by the first word of their names."""
    names = {side.name.partition(" ")[0].lower(): side for side in sides.both()}
    only = {name.lower() for name in options.only or names}
    if unknown := only - set(names):
        raise TholeError(f"nothing is called {', '.join(sorted(unknown))}", f"--only takes {', '.join(names)}")
    if options.write and (options.only or options.quick):
        raise TholeError("--write needs figures of both, from one whole run", "leave --only and --quick away")
    return tuple(side for name, side in names.items() if name in only)


def main(options: argparse.Namespace, display: Display) -> int:
    """Measure what was asked for; the exit status."""
    columns = chosen(options)
    boots = max(options.rounds or (2 if options.quick else BOOTS), 2)
    count = QUICK_JOBS if options.quick else JOBS
    load = machine.load()
    artifacts = Artifacts.find()
    results: dict[str, Results] = {}
    settings: dict[str, dict[str, str]] = {}
    for side in columns:
        display.update_text("bench", f"{side.name}: sizes")
        try:
            results[side.name] = measure(
                side, artifacts, boots, count, settings, lambda text: display.update_text("bench", text)
            )
        except FAILURES as failure:
            why = reason(failure, side.name)
            results[side.name] = dict.fromkeys(("first", "again", "compute", "srun", "rate"), why)
    display.end()
    block = render(results, settings, count, load)
    print(json.dumps(results, indent=2) if options.json else block)
    failed = any(isinstance(value, str) for one in results.values() for value in one.values())
    if options.write and not failed:
        DOCUMENT.write_text(table.replace_block(DOCUMENT.read_text(), block, "slurm"))
    return 1 if failed else 0


def measure(side: Side, artifacts: Artifacts, boots: int, count: int, settings: dict[str, dict[str, str]],
            say: Say) -> Results:  # fmt: skip
    """One column: its size, some boots of one disk, and in the last of them the jobs."""
    found = side.sizes(artifacts)
    times = []
    with tempfile.TemporaryDirectory(prefix="thole-bench-") as folder:
        say(f"{side.name}: disk")
        config = side.prepare(artifacts, Path(folder))
        for turn in range(boots):
            say(f"{side.name}: boot {turn + 1} of {boots}")
            began = time.monotonic()
            with Vm(config) as vm:
                node = Node(vm)
                jobs.wait_idle(node)
                times.append(time.monotonic() - began)
                if turn == boots - 1:
                    found |= loaded(node, count, lambda text: say(f"{side.name}: {text}"))
                    settings[side.name] = jobs.settings(node)
                node.poweroff(OFF)
    return found | {"first": times[0], "again": statistics.median(times[1:])}


def loaded(node: Node, count: int, say: Say) -> Results:
    """What is measured on a running node: first its memory, which jobs would change."""
    say("idle")
    time.sleep(SETTLED)
    found = jobs.memory(node)
    say("starts of jobs")
    found |= jobs.starts(node, STARTS)
    say(f"{count:,} jobs")
    return found | jobs.rate(node, count)


def render(results: Mapping[str, Results], settings: Mapping[str, dict[str, str]], count: int, load: float) -> str:
    """The table."""
    accelerator = host.accelerator(Artifacts.find().kernel)
    rate = Line("rate", f"{count:,} jobs of `true` in an array through the node, jobs a second", 2, high=True)
    notes = table.Notes()
    text = [
        f"Measured {time.strftime('%Y-%m-%d')} on: {machine.describe()}; load when it began {load:.1f}. SLURM "
        f"{Apt().version('slurmctld')}. VMs ({accelerator}, {sides.CPUS} processors, {sides.MEMORY >> 20} MB), same "
        "kernel; one node that is controller and computes. Bold: the better of its line.",
        "",
        *table.render(
            list(results), (*BOOT_LINES, *START_LINES, rate, *MEMORY_LINES, *sides.SIZE_LINES), results, notes
        ),
        "",
    ]
    return "\n".join([*text, *notes.lines(), *different(settings)])


def different(settings: Mapping[str, dict[str, str]]) -> list[str]:
    """The settings of SLURM that are not the same on both sides."""
    if len(settings) < 2:
        return []
    (one, first), (other, second) = settings.items()
    keys = sorted(key for key in (first.keys() | second.keys()) - _PLACES if first.get(key) != second.get(key))
    lines = [f"- {key}: {first.get(key, 'not there')} / {second.get(key, 'not there')}" for key in keys]
    return [f"Settings of SLURM that differ ({one} / {other}):", "", *lines] if lines else []
