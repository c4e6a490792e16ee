"""Debian packages of this machine: which of the list are missing, and their installation."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from driver.cache import digest
from driver.errors import TholeError
from driver.paths import BUILD

LIST = Path(__file__).resolve().parent / "debian-packages.txt"
_DPKG_STATUS = Path("/var/lib/dpkg/status")
_LINE = re.compile(r"^(?P<name>[a-z0-9][a-z0-9.+-]*)(?:\s+\(>=\s*(?P<version>\S+)\))?$")


class Wanted(NamedTuple):
    """A package, and the least version where that matters."""

    name: str
    version: str


def wanted(group: str, text: str | None = None) -> list[Wanted]:
    """The packages of a group of the list."""
    found: dict[str, list[Wanted]] = {}
    section = ""
    for number, line in enumerate((LIST.read_text() if text is None else text).splitlines(), 1):
        line = line.partition("#")[0].strip()
        if not line:
            continue
        if line.startswith("["):
            section = line.strip("[]")
            found[section] = []
            continue
        match = _LINE.match(line)
        if not match or not section:
            raise TholeError(
                f"{LIST.name}:{number}: not a package: {line}", "write NAME or NAME (>= VERSION)"
            )
        found[section].append(Wanted(match["name"], match["version"] or ""))
    return found[group]


def missing(groups: tuple[str, ...]) -> list[str]:
    """Names of the packages that are not installed, or too old."""
    packages = [package for group in groups for package in wanted(group)]
    command = [
        "dpkg-query",
        "-W",
        "-f",
        "${Package} ${db:Status-Status} ${Version}\\n",
        *(p.name for p in packages),
    ]
    try:
        output = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except FileNotFoundError as error:
        raise TholeError("this machine has no dpkg", "thole builds on Debian 12 and 13") from error
    rows = [line.split() for line in output.splitlines()]
    installed = {row[0]: row[2] for row in rows if len(row) == 3 and row[1] == "installed"}
    return [p.name for p in packages if p.name not in installed or _older(installed[p.name], p.version)]


def _older(version: str, least: str) -> bool:
    return (
        bool(least)
        and subprocess.run(["dpkg", "--compare-versions", version, "lt", least], check=False).returncode == 0
    )


def known_complete(groups: tuple[str, ...]) -> bool:
    """Whether an earlier run found nothing missing and dpkg's database is what it was; costs two stats."""
    try:
        return _stamp(groups).read_text() == _state()
    except OSError:
        return False


def remember_complete(groups: tuple[str, ...]) -> None:
    """Note that nothing is missing."""
    _stamp(groups).parent.mkdir(parents=True, exist_ok=True)
    _stamp(groups).write_text(_state())


def _stamp(groups: tuple[str, ...]) -> Path:
    return BUILD / f"packages-{'-'.join(groups)}"


def _state() -> str:
    info = _DPKG_STATUS.stat()
    return digest(LIST, f"{info.st_mtime_ns} {info.st_size}")


def install_command(names: list[str]) -> list[str]:
    """The apt-get command, with sudo where this is not root."""
    command = ["apt-get", "install", "-y", "--no-install-recommends", *names]
    if os.geteuid() == 0:
        return command
    if not shutil.which("sudo"):
        raise TholeError(f"Debian packages are missing: {' '.join(names)}", f"as root: {' '.join(command)}")
    return ["sudo", *([] if sys.stdin.isatty() else ["-n"]), *command]


def install(names: list[str], log: Path) -> None:
    """Install packages; where that fails once, with fresh package indexes."""
    command = install_command(names)
    update = [*command[: command.index("apt-get")], "apt-get", "update"]
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    with open(log, "w") as stream:

        def run(arguments: list[str]) -> bool:
            print("$", *arguments, file=stream, flush=True)
            # Standard input stays: sudo may ask for a password.
            done = subprocess.run(
                arguments, env=environment, stdout=stream, stderr=subprocess.STDOUT, check=False
            )
            return done.returncode == 0

        if run(command) or (run(update) and run(command)):
            return
    errors = [
        line for line in log.read_text(errors="replace").splitlines() if line.startswith(("E:", "sudo:"))
    ]
    raise TholeError(
        f"installing Debian packages failed: {errors[-1] if errors else 'no message'} (log: {log})",
        "check the network, then as root: apt-get update && "
        f"apt-get install --no-install-recommends {' '.join(names)}",
    )
