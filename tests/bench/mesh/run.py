"""`./thole bench mesh`: measure, print, write into docs/benchmarks.md."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from bench import machine, table
from bench.mesh import binary, nodes, simulation
from bench.supervisors import Results
from bench.table import Line
from driver import build
from driver.display import Display
from driver.errors import TholeError
from driver.paths import CHECKOUT
from qemu import host
from qemu.artifacts import Artifacts

DOCUMENT = CHECKOUT / "docs" / "benchmarks.md"
PARTS = ("binary", "vm", "simulation")
ROUNDS = 5
LARGEST = 5000  # THOLE_MESH_NODES says another; so many take 11 GB, and half an hour of one processor
SIMULATION = "tests/mesh-simulation-test"
BINARY_LINES = (
    Line("binary", "init, all of it"),
    Line("binary-mesh", "of it functions and data of the mesh"),
    Line("binary-crypto", "and of its cryptography (libsodium)"),
)


def needs(options: argparse.Namespace) -> set[str]:
    """The parts that are asked for."""
    only = set(options.only or PARTS)
    if unknown := only - set(PARTS):
        raise TholeError(f"nothing is called {', '.join(sorted(unknown))}", f"--only takes {', '.join(PARTS)}")
    if options.write and options.only:
        raise TholeError("--write needs figures of all, from one run", "leave --only away")
    return only


def main(options: argparse.Namespace, display: Display) -> int:
    """Measure what was asked for; the exit status."""
    parts = needs(options)
    rounds = options.rounds or (1 if options.quick else ROUNDS)
    sizes = nodes.Sizes(rounds, quiet=10, settle=5) if options.quick else nodes.Sizes(rounds)
    load = machine.load()
    results: dict[str, dict[str, Results]] = {}
    if "binary" in parts:
        results["binary"] = {"bytes": binary.measure(Artifacts.find().init)}
    if "vm" in parts:
        with tempfile.TemporaryDirectory(prefix="thole-bench-") as folder:
            results |= nodes.measure(Path(folder), sizes, lambda text: display.update_text("bench", text))
    if "simulation" in parts:
        display.update_text("bench", "simulation")
        program = build.measured().directory / SIMULATION
        largest = int(os.environ.get("THOLE_MESH_NODES", LARGEST))
        results["simulation"] = simulation.measure(program, 0 if options.quick else largest)
    display.end()
    block = render(results, load)
    print(json.dumps(results, indent=2) if options.json else block)
    if options.write:
        DOCUMENT.write_text(table.replace_block(DOCUMENT.read_text(), block, "mesh"))
    return 0


def render(results: Mapping[str, dict[str, Results]], load: float) -> str:
    """The tables, as far as there are figures."""
    accelerator = host.accelerator(Artifacts.find().kernel) if "memory" in results else ""
    vms = f"VMs ({accelerator}, 1 processor, {nodes.MEMORY >> 20} MB)"
    parts = (
        ("binary", "Bytes:", BINARY_LINES),
        ("memory", f"The process `init mesh` of a node, {vms}:", nodes.LINES),
        ("join", f"A fresh node joins {nodes.NODES - 1} others, from the start of its mesh:", nodes.JOIN_LINES),
        ("speed", "One TCP stream between two of them:", nodes.SPEED_LINES),
        ("simulation", "The same code in virtual time:", simulation.LINES),
    )
    notes = table.Notes()
    text = [f"Measured {time.strftime('%Y-%m-%d')} on: {machine.describe()}; load when it began {load:.1f}.", ""]
    for name, title, lines in parts:
        if name in results:
            text += [title, "", *table.render(list(results[name]), lines, results[name], notes, mark=False), ""]
    return "\n".join([*text, *notes.lines()])
