"""`./thole bench init`: measure, print, write into docs/benchmarks.md."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time

from bench import containers, linux, machine, spawning, supervisors, table
from bench.peers.container import inits
from bench.supervisors import FULL, QUICK, Effort, Results
from bench.vm import boots
from driver.display import Display
from driver.errors import TholeError
from driver.paths import CHECKOUT

DOCUMENT = CHECKOUT / "docs" / "benchmarks.md"
_SPAWN = "spawn"
VM = "vm"


def names() -> list[str]:
    """All that --only takes."""
    return [*(peer.name for peer in supervisors.peers()), *(init.name for init in inits()), _SPAWN, VM]


def wants_vm(options: argparse.Namespace) -> bool:
    """Whether VMs are booted, which needs the whole image: all are measured, or they are named."""
    return VM in options.only if options.only else not options.quick


def main(options: argparse.Namespace, display: Display) -> int:
    """Measure what was asked for; the exit status."""
    if os.geteuid() != 0:
        raise TholeError("namespaces with PID 1s of other projects are made by root only", "sudo ./thole bench init")
    only = set(options.only or names())
    if not wants_vm(options):
        only.discard(VM)
    if unknown := only - set(names()):
        raise TholeError(f"nothing is called {', '.join(sorted(unknown))}", f"--only takes {', '.join(names())}")
    if options.write and options.only:
        raise TholeError("--write needs figures of all, from one run", "leave --only away")
    if os.sched_getscheduler(0) != os.SCHED_OTHER:
        # OpenRC's scripts spin on locks: at real-time priority they would keep the owner from ever running.
        raise TholeError("this runs at a real-time priority, which stops the machine", "run it without chrt")
    # So that a run which is ended from outside still takes its processes and cgroups away.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    linux.private_mounts()
    effort = QUICK if options.quick else FULL
    run = Run(effort._replace(rounds=options.rounds) if options.rounds else effort, display)
    run.measure(only)
    display.end()
    block = run.block()
    print(json.dumps(run.results, indent=2) if options.json else block)
    if options.write:
        DOCUMENT.write_text(table.replace_block(DOCUMENT.read_text(), block))
    return 0


class Run:
    """One run: the figures of all that take part."""

    def __init__(self, effort: Effort, display: Display) -> None:
        self.effort = effort
        self.results: dict[str, Results] = {}
        self.supervisors: list[str] = []
        self.inits: list[str] = []
        self._display = display
        self._spawn: dict[str, Results] = {}
        self._vm: dict[str, Results] = {}
        self._accelerator = ""
        self._versions: dict[str, str] = {}
        self._remarks: dict[str, str] = {}
        self._load = machine.load()
        self._direct = 0.0

    def measure(self, only: set[str]) -> None:
        """Everything, one after the other; only the idle ones side by side."""
        chosen = [peer for peer in supervisors.peers() if peer.name in only]
        small = [init for init in inits() if init.name in only]
        self.supervisors = [peer.name for peer in chosen]
        self.inits = [init.name for init in small]
        for peer in [*chosen, *small]:
            self._versions[peer.name] = peer.version()
            self._remarks[peer.name] = peer.remark
        for peer in chosen:
            self.results[peer.name] = supervisors.measure(peer, self.effort, self._say)
        if small:
            self._direct = containers.direct_start()
        for init in small:
            self.results[init.name] = containers.measure(init, self.effort, self._direct, self._say)
        if _SPAWN in only:
            self._say("spawn rates")
            self._spawn = spawning.measure(5.0 if self.effort.steps else 1.0)
        if VM in only:
            self._vm, self._accelerator = boots.measure(min(self.effort.rounds, 3), self._say)
        beside = [*((peer, 10) for peer in chosen), *((init, 1) for init in small)]
        if not beside:
            return
        self._say(f"all idle for {self.effort.idle:.0f} s")
        supervisors.idle(beside, self.effort, self.results)

    def _say(self, text: str) -> None:
        self._display.update_text("bench", text)

    def block(self) -> str:
        """The tables with what must be said of them."""
        notes = table.Notes()
        text = [f"Measured {time.strftime('%Y-%m-%d')} on: {machine.describe()}; load when it began "
                f"{self._load:.1f}. Bold: the best of its line.", ""]  # fmt: skip
        if self.supervisors:
            text += table.render(self.supervisors, supervisors.LINES, self.results, notes) + [""]
        if self.inits:
            text += table.render(self.inits, containers.LINES, self.results, notes)
            text += ["", f"The command alone as PID 1: {self._direct:.3f} ms from exec to main().", ""]
        if self._spawn:
            text += table.render(list(self._spawn), spawning.LINES, self._spawn, notes) + [""]
        if self._vm:
            machine_text = f"{self._accelerator}, {boots.CPUS} processors, {boots.MEMORY >> 20} MB"
            text += [f"In a VM ({machine_text}), same kernel:", ""]
            text += table.render(list(boots.COLUMNS), boots.LINES, self._vm, notes) + [""]
        text += notes.lines() + ([""] if notes.texts else [])
        text += [f"- {name}: {self._versions[name]}{'; ' if self._remarks[name] else ''}{self._remarks[name]}"
                 for name in [*self.supervisors, *self.inits]]  # fmt: skip
        return "\n".join([*text, *self._behind()])

    def _behind(self) -> list[str]:
        found = table.behind("thole", self.supervisors, supervisors.LINES, self.results)
        found += table.behind("thole run-one", self.inits, containers.LINES, self.results)
        return ["", "Not first:", "", *(f"- {line}" for line in found)] if found else []
