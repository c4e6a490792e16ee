"""clang-tidy over the native build's C++, and clang-format's opinion; what was clean stays known.

clang-tidy takes seconds for each file, so a clean verdict is kept in the cache (`tidy/KEY`, an empty file), keyed by
all that it depends on: the file and every header that it includes, the compiler's arguments, the checks, the version.
A file with findings is looked at again each time.
"""

from __future__ import annotations

import functools
import json
import os
import re
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from driver import toolchain
from driver.build import CLANG
from driver.cache import Cache, digest, file_sha256
from driver.errors import TholeError
from driver.paths import CHECKOUT

AT_ONCE = 2
OURS = ("init", "services", "tests")
# All names in it are the compiler's, and it is made for another C++ library than the native one.
NOT_CHECKED = ("init/no_exceptions.cpp",)
# Arguments for a source that the native build does not compile.
_ALONE = ("-std=c++23", f"-I{CHECKOUT}/init")
_KEPT_SECONDS = 60 * 24 * 3600
_DEPS_HEAD = re.compile(r"^(?P<object>\S.*): #deps \d+, deps mtime \d+ \((?P<state>\w+)\)$")


class Unit(NamedTuple):
    """A translation unit: its source, the arguments that compile it, and every file it is made from."""

    source: Path
    command: str
    inputs: tuple[Path, ...]


class Verdict(NamedTuple):
    """What clang-tidy said of a unit: nothing, or its findings."""

    unit: Unit
    findings: str
    from_cache: bool


def sources() -> list[Path]:
    """Our C++: every source and header in our folders."""
    return sorted(
        path for room in OURS for suffix in ("cpp", "hpp") for path in (CHECKOUT / room).rglob(f"*.{suffix}")
    )


def misformatted() -> str:
    """What clang-format would change; empty where nothing."""
    command = [f"clang-format-{CLANG}", "--dry-run", "--Werror", *map(str, sources())]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr) if done.returncode else ""


def units(directory: Path) -> list[Unit]:
    """The units of a build directory that are ours, and our sources that are compiled for the node alone."""
    commands = json.loads((directory / "compile_commands.json").read_text())
    inputs = dict(_inputs(directory))
    found = []
    for entry in commands:
        source = Path(os.path.normpath(Path(entry["directory"]) / entry["file"]))
        if source.suffix != ".cpp" or not any(source.is_relative_to(CHECKOUT / room) for room in OURS):
            continue
        if entry["output"] not in inputs:
            raise TholeError(f"{entry['output']} is not built", "./thole test lint, without --no-build")
        found.append(Unit(source, entry["command"], inputs[entry["output"]]))
    compiled = {unit.source for unit in found}
    rest = [path for path in sources() if path.suffix == ".cpp" and path not in compiled]
    return found + [Unit(path, "", (path,)) for path in rest if _name(path) not in NOT_CHECKED]


def _inputs(directory: Path) -> Iterator[tuple[str, tuple[Path, ...]]]:
    """Each object file, and the files that it was made from as the compiler named them."""
    command = [toolchain.ninja(), "-C", str(directory), "-t", "deps"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for block in text.split("\n\n"):
        head, *lines = block.strip("\n").split("\n")
        match = _DEPS_HEAD.match(head)
        if match and match["state"] == "VALID":
            yield match["object"], tuple(Path(os.path.normpath(directory / line.strip())) for line in lines)


def check(directory: Path, tell: Callable[[str], None] = lambda _: None) -> list[Verdict]:
    """clang-tidy's verdict of every unit, from the cache where it is known to be clean; `tell` hears how far it is."""
    todo = units(directory)
    forget_old()
    verdicts = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for verdict in pool.map(functools.partial(_verdict, directory), todo):
            verdicts.append(verdict)
            if not verdict.from_cache:
                tell(f"{len(verdicts)} of {len(todo)}  {_name(verdict.unit.source)}")
    return verdicts


def _verdict(directory: Path, unit: Unit) -> Verdict:
    place = _folder() / key(unit)
    if place.exists():
        place.touch()
        return Verdict(unit, "", True)
    arguments = ["-p", str(directory)] if unit.command else []
    command = [_program(), *arguments, "--quiet", str(unit.source), *([] if unit.command else ["--", *_ALONE])]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    if done.returncode == 0 and not done.stdout.strip():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
        return Verdict(unit, "", False)
    return Verdict(unit, done.stdout.strip() or done.stderr.strip() or f"ended with {done.returncode}", False)


def key(unit: Unit) -> str:
    """What a verdict depends on; the same in every checkout."""
    # Where the checkout is says nothing about its code.
    command = shlex.join(
        word.replace(str(CHECKOUT), "") for word in shlex.split(unit.command)
    )
    files = sorted(f"{_name(path)} {_sum(path)}" for path in unit.inputs)
    return digest("1", _version(), _configuration(), command, "\n".join(files))


def _name(path: Path) -> str:
    return str(path.relative_to(CHECKOUT) if path.is_relative_to(CHECKOUT) else path)


@functools.cache
def _sum(path: Path) -> str:
    return file_sha256(path)


@functools.cache
def _version() -> str:
    return subprocess.run([_program(), "--version"], capture_output=True, text=True, check=True).stdout


@functools.cache
def _configuration() -> str:
    """Every .clang-tidy of ours: the one of a unit may take over from those above it."""
    places = [CHECKOUT / ".clang-tidy", *(path for room in OURS for path in (CHECKOUT / room).rglob(".clang-tidy"))]
    return "\n".join(f"{_name(path)}\n{path.read_text()}" for path in sorted(places))


def _program() -> str:
    return f"clang-tidy-{CLANG}"


def _folder() -> Path:
    return Cache().root / "tidy"


def forget_old() -> None:
    """Drop verdicts that nobody asked for in two months."""
    oldest = time.time() - _KEPT_SECONDS
    for path in _folder().iterdir() if _folder().is_dir() else []:
        if path.stat().st_mtime < oldest:
            path.unlink(missing_ok=True)
