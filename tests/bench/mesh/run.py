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
    Line("binary-mesh", "of it code and data of the mesh's daemon"),
    Line("binary-crypto", "of its cryptography (libsodium)"),
    Line("binary-commands", "of its commands (thole mesh ...)"),
)


def needs(options: argparse.Namespace) -> set[str]:
    """The parts that are asked for."""
    only = set(options.only or PARTS)
    if unknown := only - set(PARTS):
        raise TholeError(f"nothing is called {', '.join(sorted(unknown))}", f"--only takes {', '.join(PARTS)}")
    return only


def main(options: argparse.Namespace, display: Display) -> int:
    """Measure what was asked for; the exit status.

    With `--write` each part has a block of its own in the document: the large simulation takes longer than all else.
    """
    parts = needs(options)
    everything: dict[str, dict[str, dict[str, Results]]] = {}
    for part in (one for one in PARTS if one in parts):
        load = machine.load()
        everything[part] = measure(part, options, display)
        display.end()
        block = render(everything[part], load)
        if not options.json:
            print(block)
        if options.write:
            DOCUMENT.write_text(table.replace_block(DOCUMENT.read_text(), block, f"mesh {part}"))
    if options.json:
        print(json.dumps({name: one for found in everything.values() for name, one in found.items()}, indent=2))
    return 0


def measure(part: str, options: argparse.Namespace, display: Display) -> dict[str, dict[str, Results]]:
    """The tables of one part, by their names in render()."""
    if part == "binary":
        return {"binary": {"bytes": binary.measure(Artifacts.find().init)}}
    if part == "vm":
        rounds = options.rounds or (1 if options.quick else ROUNDS)
        sizes = nodes.Sizes(rounds, quiet=10, settle=5) if options.quick else nodes.Sizes(rounds)
        with tempfile.TemporaryDirectory(prefix="thole-bench-") as folder:
            return nodes.measure(Path(folder), sizes, lambda text: display.update_text("bench", text))
    display.update_text("bench", "simulation")
    program = build.measured().directory / SIMULATION
    largest = int(os.environ.get("THOLE_MESH_NODES", LARGEST))
    return {"simulation": simulation.measure(program, 0 if options.quick else largest)}


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
