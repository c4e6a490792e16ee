"""Set-up, as a part of the first command: Debian packages, the virtual environment, libraries' sources.

Each part looks whether its result is there, and that look is cheap: with nothing to do all of it takes
milliseconds.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from driver import toolchain
from driver.cache import Cache, default_root
from driver.display import Display
from driver.errors import TholeError
from driver.paths import BUILD, CHECKOUT, LOGS

DISK_NEEDED = 15 << 30
MEMORY_NEEDED = 6 << 30
# A machine sold with 6 GB shows less: firmware and kernel keep some.
_MEMORY_SLACK = 512 << 20


def ensure(display: Display, *groups: str) -> None:
    """Make ready what the groups of Debian packages and the build need."""
    try:
        _packages(display, groups)
        cold = not Cache().has("venv", toolchain.venv_key())
        if cold:
            check_machine()
            display.begin("python tools")
        toolchain.venv()
        _libraries(display)
    except BaseException:
        display.end(failed=True)
        raise
    display.end()


def ensure_qemu(display: Display) -> None:
    """Fetch QEMU before a VM wants it, so that the wait has a name."""
    from driver import host_tools

    if host_tools.is_there("qemu-system-x86_64"):
        return
    display.begin("qemu")
    try:
        host_tools.unpacked("qemu-system-x86_64")
    except BaseException:
        display.end(failed=True)
        raise
    display.end()


def _packages(display: Display, groups: tuple[str, ...]) -> None:
    """Install the Debian packages that are missing."""
    from driver import debian

    if debian.known_complete(groups):
        return
    names = debian.missing(groups)
    if names:
        display.begin("packages")
        display.pause()
        display.note(f"installing {len(names)} Debian packages: {' '.join(names)}")
        debian.install(names, LOGS / "packages.log")
        left = debian.missing(groups)
        if left:
            raise TholeError(
                f"these Debian packages cannot be had as needed: {' '.join(left)}",
                "apt-get update, then repeat",
            )
    debian.remember_complete(groups)


def _libraries(display: Display) -> None:
    """Bring the libraries' sources below subprojects/."""
    from driver import libraries

    if not libraries.ready():
        display.begin("libraries")
        libraries.prepare(display.note)


def check_machine() -> None:
    """Refuse a machine on which a cold build would fail late: too little disk or memory."""
    root = default_root()
    root.mkdir(parents=True, exist_ok=True)
    for place in (root, CHECKOUT):
        free = shutil.disk_usage(place).free
        if free < DISK_NEEDED:
            raise TholeError(
                f"{place} has {free / (1 << 30):.1f} GiB free, a first build needs {DISK_NEEDED >> 30} GiB",
                "free some space, or set XDG_CACHE_HOME to a folder on a larger disk",
            )
    memory = total_memory()
    if memory < MEMORY_NEEDED - _MEMORY_SLACK:
        raise TholeError(
            f"{memory / (1 << 30):.1f} GiB of memory are not enough, needed are {MEMORY_NEEDED >> 30} GiB",
            "use a machine with more memory, or add swap",
        )


def total_memory() -> int:
    """Memory and swap of this machine in bytes."""
    fields = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return sum(int(fields[name].split()[0]) << 10 for name in ("MemTotal", "SwapTotal"))


def virtual_environment() -> Path:
    """The virtual environment with the pinned requirements, made the first time."""

    def make(directory: Path) -> None:
        _checked(
            [sys.executable, "-m", "venv", str(directory)],
            "making a virtual environment",
            "install python3-venv",
        )
        pip = [
            str(directory / "bin" / "python3"),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-input",
            "--no-deps",
        ]
        _checked(
            [*pip, "--only-binary=:all:", "--require-hashes", "-r", str(toolchain.REQUIREMENTS)],
            "installing meson, ninja, ziglang and pytest with pip",
            "check the network and pip's configuration (pip config list), then repeat",
        )

    return Cache().entry("venv", toolchain.venv_key(), make, listed=False)


def _checked(command: list[str], what: str, remedy: str) -> None:
    """Run a command; its first error, or last line of output, is the reason where it fails."""
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
    result = subprocess.run(
        command,
        env=environment,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if result.returncode != 0:
        lines = [line for line in result.stdout.splitlines() if line.strip()]
        reasons = [line for line in lines if line.startswith("ERROR")] or lines[-1:] or ["no message"]
        raise TholeError(f"{what} failed: {reasons[0]}", remedy)


def write_machine_file() -> Path:
    """build/machine.ini: the constants of the cross files that differ from machine to machine."""
    path = BUILD / "machine.ini"
    text = f"[constants]\nzig = '{toolchain.zig()}'\n"
    if not path.exists() or path.read_text() != text:
        BUILD.mkdir(exist_ok=True)
        path.write_text(text)
    return path
