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
from driver.paths import CHECKOUT

_FOLDER = Path(__file__).resolve().parent / "programs"
_TARGET = "x86_64-linux-musl"
_SPAWN = ("os/spawn.cpp", "os/clone.cpp", "os/file.cpp", "base/text.cpp", "base/error.cpp")


@functools.cache
def built() -> Path:
    """A folder with service, launch, orphans, nothing and spawn; built when a source changed."""
    init = CHECKOUT / "init"
    own = sorted(_FOLDER.glob("*.c*"))
    headers = sorted((init / "os").glob("*.?pp")) + sorted((init / "base").glob("*.?pp"))
    key = digest("2", toolchain.venv_key(), *own, *headers)

    def make(directory: Path) -> None:
        for source in own:
            if source.suffix == ".c":
                _compile(["cc", "-std=gnu17"], [source], directory / source.stem)
        spawn = [_FOLDER / "spawn.cpp", *(init / name for name in _SPAWN), init / "no_exceptions.cpp"]
        flags = ["c++", "-std=c++23", "-fno-exceptions", "-fno-rtti", f"-I{init}"]
        _compile(flags, [source for source in spawn if source.exists()], directory / "spawn")

    return Cache().entry("bench-programs", key, make)


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
