"""`./thole bench cluster`: measure, print, write into docs/benchmarks.md."""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from bench import machine, table
from bench.cluster import load, sides
from bench.cluster.sides import Side, ready
from bench.supervisors import FAILURES, Results, Say, reason
from bench.table import Line
from driver.display import Display
from driver.errors import TholeError
from driver.paths import CHECKOUT
from qemu import host
from qemu.artifacts import Artifacts

DOCUMENT = CHECKOUT / "docs" / "benchmarks.md"
BOOTS, STARTS, PODS = 3, 20, 100
QUICK_BOOTS, QUICK_STARTS, QUICK_PODS = 2, 5, 20
SETTLED = 60.0
_PARTS = ("system", "containerd", "kubelet", "kube-proxy", "kube-network-policies")
_CONTROL = (
    "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kine", "metrics-server", "local-path-provisioner",
)  # fmt: skip
LINES = (
    Line("server first", "server: power-on to Ready, empty disk, s", 1),
    Line("server again", "server: power-on to Ready, the next boots, s", 1),
    Line("agent first", "agent: power-on to Ready, empty disk, s", 1),
    Line("agent again", "agent: power-on to Ready, the next boots, s", 1),
    Line("pod", "pod, submit to Running, median, s", 2),
    Line("pod p95", "pod, submit to Running, p95, s", 2),
)
MEMORY_LINES = tuple(
    Line(f"{node} {key}", f"{node}: {text}, MB", 1)
    for node, parts in (("server", (*_PARTS, *_CONTROL)), ("agent", _PARTS))
    for key, text in (
        ("all", "PSS of all processes but pods'"),
        *((part, f"of it {'init, logs, network and what else is the system' if part == 'system' else part}")
          for part in parts),
        ("used", "memory that is not available any more"),
    )
)  # fmt: skip


def chosen(options: argparse.Namespace) -> list[str]:
    """The columns that are asked for, by the first word of their names."""
    names = {name.partition(" ")[0].lower(): name for name in sides.SIDES}
    only = {name.lower() for name in options.only or names}
    if unknown := only - set(names):
        raise TholeError(f"nothing is called {', '.join(sorted(unknown))}", f"--only takes {', '.join(names)}")
    if options.write and (options.only or options.quick):
        raise TholeError("--write needs figures of both, from one whole run", "leave --only and --quick away")
    return [name for first, name in names.items() if first in only]


def main(options: argparse.Namespace, display: Display) -> int:
    """Measure what was asked for; the exit status."""
    columns = chosen(options)
    boots = max(options.rounds or (QUICK_BOOTS if options.quick else BOOTS), 2)
    starts, count = (QUICK_STARTS, QUICK_PODS) if options.quick else (STARTS, PODS)
    began_with = machine.load()
    artifacts = Artifacts.find()
    results: dict[str, Results] = {}
    for name in columns:
        display.update_text("bench", f"{name}: disks")
        try:
            with tempfile.TemporaryDirectory(prefix="thole-bench-") as folder:
                side = sides.SIDES[name](artifacts, Path(folder) / "nodes")
                try:
                    results[name] = measure(side, boots, starts, count, lambda text: display.update_text("bench", text))
                finally:
                    side.close()
        except FAILURES as failure:
            why = reason(failure, name)
            results[name] = dict.fromkeys((line.key for line in LINES), why)
    display.end()
    block = render(results, count, began_with)
    print(json.dumps(results, indent=2) if options.json else block)
    failed = any(isinstance(value, str) for one in results.values() for value in one.values())
    if options.write and not failed:
        DOCUMENT.write_text(table.replace_block(DOCUMENT.read_text(), block, "cluster"))
    return 1 if failed else 0


def measure(side: Side, boots: int, starts: int, count: int, say: Say) -> Results:
    """The server's boots, its memory, the agent's boots and memory, then pods on the server with the agent off."""
    found: Results = {}
    times: dict[bool, list[float]] = {False: [], True: []}
    for turn in range(boots):
        say(f"{side.name}: server, boot {turn + 1} of {boots}")
        server = side.start(agent=False)
        times[False].append(ready(server, server))
        server.wait_takes_pods(sides.LIMIT)
        if turn < boots - 1:
            side.stop(agent=False)
    say(f"{side.name}: server, idle")
    time.sleep(SETTLED)
    found |= {f"server {key}": value for key, value in load.memory(server).items()}
    for turn in range(boots):
        say(f"{side.name}: agent, boot {turn + 1} of {boots}")
        agent = side.start(agent=True)
        times[True].append(ready(agent, server))
        if turn == boots - 1:
            time.sleep(SETTLED)
            found |= {f"agent {key}": value for key, value in load.memory(agent).items()}
        side.stop(agent=True)
    server.kubectl("delete", "node", agent_name(server), timeout=sides.LIMIT)
    say(f"{side.name}: pods one by one")
    found |= load.pod_starts(server, starts)
    say(f"{side.name}: {count} pods")
    found |= load.many_pods(server, count)
    side.stop(agent=False)
    for agent_too, name in ((False, "server"), (True, "agent")):
        first, *rest = times[agent_too]
        found |= {f"{name} first": first, f"{name} again": load.middle(rest)}
    return found


def agent_name(server: sides.Node) -> str:
    """The node that is not the server."""
    names = [one["metadata"]["name"] for one in server.get("nodes")["items"]]
    return next(name for name in names if name != server.name)


def render(results: Mapping[str, Results], count: int, began_with: float) -> str:
    """The table."""
    accelerator = host.accelerator(Artifacts.find().kernel)
    lines = (
        *LINES,
        Line("many", f"{count} pods on the server, submit to the last Running, s", 1),
        Line("many used", "PSS of all processes but pods' then, MB", 1),
        *MEMORY_LINES,
    )
    notes = table.Notes()
    text = [
        f"Measured {time.strftime('%Y-%m-%d')} on: {machine.describe()}; load when it began {began_with:.1f}. VMs "
        f"({accelerator}, {sides.CPUS} processors, {sides.MEMORY >> 20} MB each), same kernel, kubelet, containerd and "
        "images; thole's are in a mesh, Debian's have none. Bold: the better of its line.",
        "",
        *table.render(list(results), lines, results, notes),
        "",
    ]
    return "\n".join([*text, *notes.lines()])
