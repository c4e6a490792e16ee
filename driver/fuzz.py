"""Long runs of the fuzzers: each searches for its minutes, two at a time, and goes on from what earlier runs learnt.

What a fuzzer learns (inputs that reach new code) is kept in the cache, `fuzz/NAME/corpus`; inputs that break
something are kept beside it in `fuzz/NAME/finds` until they are fixed and removed by hand.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from driver import build
from driver.cache import Cache
from driver.display import Display
from driver.errors import TholeError
from driver.job import stop
from driver.paths import LOGS
from driver.progress import Progress

AT_ONCE = 2
_OPTIONS = ("-max_len=4096", "-timeout=10", "-rss_limit_mb=1024", "-print_final_stats=1")
_TICK = 0.5
_STATISTIC = re.compile(r"^stat::(\w+):\s+(\d+)$", re.MULTILINE)


class Fuzzer(NamedTuple):
    """A fuzzer of the native build: its name, program, and the corpus that is committed."""

    name: str
    program: str
    corpus: str


class Outcome(NamedTuple):
    """How one fuzzer ended: the inputs that broke something, its exit status, and how many inputs it tried."""

    fuzzer: Fuzzer
    finds: list[Path]
    status: int
    inputs: int
    log: Path


def fuzzers(directory: Path) -> list[Fuzzer]:
    """The fuzzers that Meson knows in a build directory."""
    tests = json.loads((directory / "meson-info" / "intro-tests.json").read_text())
    found = [
        Fuzzer(test["name"], test["cmd"][0], test["cmd"][-1])
        for test in tests
        if any(suite.rpartition(":")[2] == "fuzz" for suite in test["suite"])
    ]
    return sorted(found)


def chosen(known: list[Fuzzer], names: list[str]) -> list[Fuzzer]:
    """Those with the names, all where there are none; `fuzz/NAME` is a name too."""
    wanted = [name.removeprefix("fuzz/") for name in names if name != "fuzz"]
    unknown = [name for name in wanted if name not in [fuzzer.name for fuzzer in known]]
    if unknown:
        raise TholeError(
            f"there is no fuzzer {', '.join(unknown)}", f"there are {', '.join(one.name for one in known)}"
        )
    return [fuzzer for fuzzer in known if not wanted or fuzzer.name in wanted]


def command(fuzzer: Fuzzer, seconds: int, place: Path) -> list[str]:
    """argv of a run: the first folder takes what is learnt, the last is only read."""
    return [
        fuzzer.program,
        f"-max_total_time={seconds}",
        *_OPTIONS,
        f"-artifact_prefix={place}/finds/",
        str(place / "corpus"),
        fuzzer.corpus,
    ]


def search(fuzzer: Fuzzer, seconds: int, running: list[subprocess.Popen]) -> Outcome:
    """Run one fuzzer to its end."""
    place = Cache().root / "fuzz" / fuzzer.name
    for folder in (place / "corpus", place / "finds"):
        folder.mkdir(parents=True, exist_ok=True)
    before = set((place / "finds").iterdir())
    log = LOGS / f"fuzz-{fuzzer.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}
    with open(log, "wb") as stream:
        child = subprocess.Popen(
            command(fuzzer, seconds, place), env=environment, stdin=subprocess.DEVNULL,
            stdout=stream, stderr=subprocess.STDOUT, process_group=0,
        )  # fmt: skip
        running.append(child)
        status = child.wait()
    numbers = dict(_STATISTIC.findall(log.read_text(errors="replace")))
    finds = sorted(set((place / "finds").iterdir()) - before)
    return Outcome(fuzzer, finds, status, int(numbers.get("number_of_executed_units", 0)), log)


def run(minutes: float, names: list[str], display: Display) -> int:
    """Build, run the fuzzers and print what each found; 1 where one found something."""
    tree = build.native()
    build.make(tree, display)
    todo = chosen(fuzzers(tree.directory), names)
    seconds = max(1, round(minutes * 60))
    outcomes = search_all(todo, seconds, display)
    for outcome in outcomes:
        print(line(outcome))
    return 1 if any(outcome.status or outcome.finds for outcome in outcomes) else 0


def search_all(todo: list[Fuzzer], seconds: int, display: Display) -> list[Outcome]:
    """All runs, some at once; an interrupt ends those that are under way and drops the rest."""
    running: list[subprocess.Popen] = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        runs = [pool.submit(search, fuzzer, seconds, running) for fuzzer in todo]
        try:
            while not all(one.done() for one in runs):
                under_way = [one.name for one, run in zip(todo, runs, strict=True) if run.running()]
                done = sum(one.done() for one in runs)
                display.update(Progress("fuzz", done, len(runs), " and ".join(under_way)))
                time.sleep(_TICK)
        except BaseException:
            display.end(failed=True)
            for one in runs:
                one.cancel()
            while not all(one.done() for one in runs):  # one may have begun just now
                for child in running:
                    stop(child)
                time.sleep(_TICK)
            raise
    display.end()
    return [one.result() for one in runs]


def line(outcome: Outcome) -> str:
    """What a person reads of a run."""
    name, program = outcome.fuzzer.name, outcome.fuzzer.program
    if outcome.finds:
        finds = "".join(f"\n  {program} {find}" for find in outcome.finds)
        return f"{name}: FOUND after {outcome.inputs:,} inputs (log: {outcome.log}); to see it again:{finds}"
    if outcome.status:
        return f"{name}: ended with {outcome.status} and no input to show (log: {outcome.log})"
    return f"{name}: {outcome.inputs:,} inputs, nothing found"
