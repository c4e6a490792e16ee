"""Set-up, as a part of the first command: Debian packages, the virtual environment, libraries' sources."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from driver import toolchain
from driver.cache import Cache
from driver.errors import TholeError


def virtual_environment() -> Path:
    """The virtual environment with the pinned requirements, made the first time."""

    def make(directory: Path) -> None:
        _checked([sys.executable, "-m", "venv", str(directory)], "making a virtual environment", "install python3-venv")
        pip = [str(directory / "bin" / "python3"), "-m", "pip", "install", "--quiet", "--no-input", "--no-deps"]
        _checked(
            [*pip, "--only-binary=:all:", "--require-hashes", "-r", str(toolchain.REQUIREMENTS)],
            "installing meson, ninja, ziglang and pytest with pip",
            "check the network and pip's configuration (pip config list), then repeat",
        )

    return Cache().entry("venv", toolchain.venv_key(), make, listed=False)


def _checked(command: list[str], what: str, remedy: str) -> None:
    """Run a command; its last line of output is the reason where it fails."""
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
    result = subprocess.run(
        command, env=environment, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, check=False,
    )
    if result.returncode != 0:
        lines = [line for line in result.stdout.splitlines() if line.strip()]
        raise TholeError(f"{what} failed: {lines[-1] if lines else 'no message'}", remedy)
