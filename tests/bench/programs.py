"""The small programs of the measurements, built static by the toolchain of the nodes."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from pathlib import Path

from driver import toolchain
from driver.cache import Cache, digest
from driver.errors import TholeError
from driver.paths import CHECKOUT, TARGET

_FOLDER = Path(__file__).resolve().parent / "programs"
_TARGET = "x86_64-linux-musl"
_LIBRARY = TARGET / "init" / "libthole.a"  # what init itself is linked from


@functools.cache
def built() -> Path:
    """A folder with service, launch, orphans, nothing and spawn; built when a source changed."""
    init = CHECKOUT / "init"
    own = sorted(_FOLDER.glob("*.c*"))
    key = digest("4", toolchain.venv_key(), *own, _LIBRARY, TARGET / "init" / "init", init / "os" / "launcher.hpp")

    def make(directory: Path) -> None:
        for source in own:
            if source.suffix == ".c":
                _compile(["cc", "-std=gnu17"], [source], directory / source.stem)
        flags = ["c++", "-std=c++23", "-fno-exceptions", "-fno-rtti", f"-I{init}"]
        _compile(flags, [_FOLDER / "spawn.cpp", init / "no_exceptions.cpp", _LIBRARY], directory / "spawn")

    return Cache().entry("bench-programs", key, make)


def one(source: Path) -> Path:
    """A C program of another folder, built as these are."""
    key = digest("1", toolchain.venv_key(), source)
    folder = Cache().entry(
        f"bench-{source.stem}", key, lambda made: _compile(["cc", "-std=gnu17"], [source], made / source.stem)
    )
    return folder / source.stem


def _compile(command: list[str], sources: list[Path], output: Path) -> None:
    done = subprocess.run(
        [toolchain.zig(), command[0], "-target", _TARGET, "-static", "-s", "-Oz", *command[1:],
         "-ffunction-sections", "-Wl,--gc-sections", *map(str, sources), "-o", str(output)],
        env={**os.environ, **toolchain.zig_environment()},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    if done.returncode:
        raise TholeError(f"{output.name} does not compile: {done.stderr.strip()[-2000:]}", "see tests/bench/programs")


def put(tree: Path, names: tuple[str, ...] = ("service", "orphans", "nothing")) -> None:
    """Copy programs into a tree's /bench."""
    (tree / "bench").mkdir(parents=True, exist_ok=True)
    for name in names:
        shutil.copy2(built() / name, tree / "bench" / name)
