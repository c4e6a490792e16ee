"""`./thole bench image`: measure, print, write into docs/benchmarks.md."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from bench import machine, table
from bench.image import boots, builds, sizes
from bench.supervisors import FAILURES, Results, reason
from bench.table import Line
from driver.build import built_profile
from driver.display import Display
from driver.errors import TholeError
from driver.paths import CHECKOUT, TARGET
from qemu import host
from qemu.artifacts import Artifacts

sys.path.append(str(CHECKOUT / "kernel-config"))
import hardening  # noqa: E402 - a room's script, beside its data

DOCUMENT = CHECKOUT / "docs" / "benchmarks.md"
PARTS = ("sizes", "boots", "builds")
ROUNDS = 3
SIZE_LINES = (
    Line("kernel", "kernel, MB", 1),
    Line("root", "root file system as it lies on the disk (k3s: its program alone), MB", 1),
    Line("packed", "kernel and root, packed by zstd for the way there, MB", 1),
    Line("executables", "executables"),
    *(
        Line(f"part {name}", f"of the root, not packed: {text}, MB", 1)
        for name, text in (
            ("init", "init"), ("kubernetes", "Kubernetes and its data stores"), ("containerd", "containerd and CNI"),
            ("images", "container images"), ("packages", "Debian packages"), ("rest", "the rest"),
        )
    ),
)  # fmt: skip
BOOT_LINES = (
    Line("init", "power-on to PID 1's first line, s", 1),
    Line("agent", "power-on to an answer of the guest agent, s", 1),
    Line("running", "power-on to all units up, s", 1),
    Line("used", "idle: memory that is not available, MB", 1),
    Line("kernel", "idle: memory that the kernel keeps for itself, MB", 1),
)
# Talos publishes the figure of an older version of the checker, which had 259 checks.
_TALOS_CHECKS = "197 of 259"


def chosen(options: argparse.Namespace) -> list[str]:
    """The parts that are asked for."""
    only = set(options.only or PARTS)
    if unknown := only - set(PARTS):
        raise TholeError(f"nothing is called {', '.join(sorted(unknown))}", f"--only takes {', '.join(PARTS)}")
    if options.write and (options.only or options.quick):
        raise TholeError("--write needs all figures, from one whole run", "leave --only and --quick away")
    return [part for part in PARTS if part in only]


def main(options: argparse.Namespace, display: Display) -> int:
    """Measure what was asked for; the exit status."""
    parts = chosen(options)
    rounds = options.rounds or (1 if options.quick else ROUNDS)
    began_with = machine.load()
    results: dict[str, dict[str, Results]] = {}
    if "sizes" in parts:
        display.update_text("bench", "sizes")
        own = {name: sizes.of(TARGET, name, built_profile()) for name in sizes.PROFILES}
        results["sizes"] = {**own, **sizes.PUBLISHED}
    if "boots" in parts:
        results["boots"] = boot_all(rounds, display)
    if "builds" in parts:
        results["builds"] = {"thole": builds.times(display, cold=bool(options.write))}
    display.end()
    block = render(results, began_with)
    print(json.dumps(results, indent=2) if options.json else block)
    failed = any(isinstance(value, str) for one in results.get("boots", {}).values() for value in one.values())
    if options.write and not failed:
        DOCUMENT.write_text(table.replace_block(DOCUMENT.read_text(), block, "image"))
    return 1 if failed else 0


def boot_all(rounds: int, display: Display) -> dict[str, Results]:
    """Medians of every way; what an idle node needs from the last boot of each."""
    found: dict[str, Results] = {}
    with tempfile.TemporaryDirectory(prefix="thole-bench-") as name:
        folder = Path(name)
        display.update_text("bench", "images of the base profile")
        made = boots.images(TARGET, folder)
        for way in boots.WAYS:
            try:
                found[way] = medians(way, made, folder, rounds, display)
            except FAILURES as failure:
                found[way] = dict.fromkeys((line.key for line in BOOT_LINES), reason(failure, way))
        display.update_text("bench", "counting instructions")
        found[boots.WAYS[0]]["instructions"] = boots.instructions(TARGET, folder / "counted")
    return found


def medians(way: str, made: dict[str, Path], folder: Path, rounds: int, display: Display) -> Results:
    """Of several boots, each with an empty data disk."""
    turns: list[Results] = []
    for turn in range(rounds):
        display.update_text("bench", f"{way}: boot {turn + 1} of {rounds}")
        own = folder / f"boot{len(list(folder.glob('boot*')))}"
        own.mkdir()
        turns.append(boots.boot(way, TARGET, made, own, turn == rounds - 1))
    return {
        key: statistics.median([value for turn in turns if isinstance(value := turn.get(key), float)]) for key in turns[-1]
    }


def render(results: Mapping[str, Mapping[str, Results]], began_with: float) -> str:
    """The tables."""
    notes = table.Notes()
    accelerator = host.accelerator(Artifacts.find().kernel)
    text = [
        f"Measured {time.strftime('%Y-%m-%d')} on: {machine.describe()}; load when it began {began_with:.1f}. VMs "
        f"({accelerator}, 1 processor, {boots.MEMORY >> 20} MB) with the base profile and an empty data disk. The figures of "
        "Talos, Flatcar and k3s are what they publish of themselves.",
        "",
    ]
    for part, lines in (("sizes", SIZE_LINES), ("boots", BOOT_LINES)):
        if part in results:
            columns = results[part]
            shown = [line for line in lines if any(line.key in one for one in columns.values())]
            text += [*table.render(list(columns), shown, columns, notes, mark=False), ""]
    if "boots" in results:
        count = results["boots"][boots.WAYS[0]]["instructions"]
        text += [f"Instructions from power-on to PID 1's first line (one processor, QEMU's -icount): {count:,.0f} million.", ""]
    verdict = hardening.judge(TARGET / "kernel-config" / "config")
    text += [
        f"Kernel configuration held against kernel-hardening-checker: {verdict.passed} of {verdict.checks} checks (Talos "
        f"publishes {_TALOS_CHECKS}).",
        "",
    ]
    if "builds" in results:
        build = results["builds"]["thole"]
        text += [f"A build: nothing changed {build['idle']:.2f} s, init edited {build['edited']:.1f} s{cold(build)}.", ""]
    return "\n".join([*text, *notes.lines()]).rstrip()


def cold(build: Results) -> str:
    """The build from nothing, where it was measured."""
    value = build.get("cold")
    return f", from nothing (empty cache, everything fetched and compiled) {value / 60:.0f} min" if isinstance(value, float) else ""
