"""Where the build's own tools are: the virtual environment, zig, and Go."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from driver.cache import Cache, digest
from driver.errors import TholeError

CHECKOUT = Path(__file__).resolve().parent.parent
REQUIREMENTS = CHECKOUT / "driver" / "requirements.txt"
_GO_SUITE = "trixie"
_GO_PACKAGE = "golang-1.24"


def venv_key() -> str:
    """What the virtual environment depends on: the requirements and the interpreter."""
    return digest(
        REQUIREMENTS, f"{sys.version_info[0]}.{sys.version_info[1]}", os.path.realpath(sys.executable)
    )


def venv() -> Path:
    """The virtual environment; set-up makes it (driver/setup.py), here it must be there."""
    place = Cache().place("venv", venv_key())
    if not (place / "bin" / "python3").exists():
        from driver import setup

        setup.virtual_environment()
    return place


def python() -> str:
    """The interpreter of the virtual environment."""
    return str(venv() / "bin" / "python3")


def _package_file(relative: str) -> str:
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    return str(venv() / "lib" / version / "site-packages" / relative)


def meson() -> list[str]:
    """argv prefix of meson: the module, because the script in bin/ names the place where pip ran."""
    return [python(), "-m", "mesonbuild.mesonmain"]


def ninja() -> str:
    """The ninja program."""
    return str(venv() / "bin" / "ninja")


def zig() -> str:
    """The zig program itself: `python -m ziglang` would start Python for every compilation."""
    return _package_file("ziglang/zig")


def zig_environment() -> dict[str, str]:
    """Variables that keep zig's compiled C library parts in our cache."""
    cache = str(Cache().root / "zig")
    return {"ZIG_GLOBAL_CACHE_DIR": cache, "ZIG_LOCAL_CACHE_DIR": cache}


def go_environment() -> dict[str, str]:
    """The environment for Go commands: os.environ with our caches, static, no stamps of this checkout."""
    root = Cache().root
    return {
        **os.environ,
        "GOCACHE": str(root / "go-build"),
        "GOMODCACHE": str(root / "go-modules"),
        "GOTOOLCHAIN": "auto",
        "GOFLAGS": "-buildvcs=false -trimpath",
        "GOTELEMETRY": "off",
        "GOWORK": "off",
        "CGO_ENABLED": "0",
    }


@functools.cache
def go() -> str:
    """A go program that can build the modules of services/: from PATH, else of Debian's package, unpacked in
    the cache.

    GOTOOLCHAIN=auto lets an older go fetch the toolchain that a go.mod asks for as a module, verified by Go's
    checksum database; that needs Go 1.21, so anything older on PATH is passed over.
    """
    found = shutil.which("go")
    if found and go_version(found) >= (1, 21):
        return found
    return str(_packaged_go() / "usr" / "lib" / "go-1.24" / "bin" / "go")


def go_version(program: str) -> tuple[int, ...]:
    """The version of a go program as numbers, or (0,) where it does not say."""
    environment = {**os.environ, "GOTOOLCHAIN": "local"}
    result = subprocess.run(
        [program, "version"], env=environment, capture_output=True, text=True, check=False
    )
    match = re.search(r"go(\d+)\.(\d+)(?:\.(\d+))?", result.stdout)
    return tuple(int(part or 0) for part in match.groups()) if match else (0,)


def _packaged_go() -> Path:
    """Debian's Go, unpacked; its source tree lies in /usr/share and is linked to by absolute links."""
    from driver.apt import Apt
    from driver.host_tools import unpack

    packages = Apt(_GO_SUITE).download([f"{_GO_PACKAGE}-go", f"{_GO_PACKAGE}-src"])

    def make(directory: Path) -> None:
        for package in packages.values():
            unpack(package, directory)
        tree = directory / "usr" / "lib" / "go-1.24"
        for link in [path for path in tree.iterdir() if path.is_symlink()]:
            target = os.readlink(link)
            inside = (directory / target.lstrip("/")) if target.startswith("/") else (tree / target)
            link.unlink()
            link.symlink_to(os.path.relpath(inside, tree))
        if go_version(str(tree / "bin" / "go")) < (1, 21):
            raise TholeError(
                f"{_GO_PACKAGE} of Debian {_GO_SUITE} does not run here", "install Go 1.21 or newer"
            )

    return Cache().entry("go", digest("1", *(path.name for path in packages.values())), make, listed=False)
