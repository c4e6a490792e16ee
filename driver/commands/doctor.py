"""Say what this machine has and what it misses for building and running nodes, each with its remedy."""

from __future__ import annotations

import argparse
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


class Finding(NamedTuple):
    """What was looked at: "ok", "note" (works, but not as well) or "miss"."""

    state: str
    name: str
    detail: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `./thole doctor`."""
    parser.add_argument("--offline", action="store_true", help="do not try the network")


def main(options: argparse.Namespace) -> int:
    """Look at everything, print a line each; 1 where something misses."""
    looks: list[tuple[str, Callable[[], Finding]]] = [
        ("system", _system),
        ("python", _python),
        ("packages", _packages),
        ("keys", _keys),
        ("mirrors", _mirrors),
        ("disk", _disk),
        ("memory", _memory),
        ("go", _go),
        ("tools", _tools),
        ("kvm", _kvm),
    ]
    if not options.offline:
        looks.insert(5, ("network", _network))
    misses = 0
    for name, look in looks:
        try:
            finding = look()
        except Exception as error:  # a look that fails is a finding too; the others still follow
            finding = Finding("miss", name, str(error).replace("\n", "; "))
        misses += finding.state == "miss"
        print(f"{finding.state:<5} {finding.name:<9} {finding.detail}", flush=True)
    print(f"{misses} things are missing" if misses else "nothing is missing")
    return 1 if misses else 0


def _system() -> Finding:
    release = platform.freedesktop_os_release()
    name = release.get("PRETTY_NAME", "unknown")
    known = release.get("ID") == "debian" and release.get("VERSION_ID") in ("12", "13")
    machine = platform.machine()
    if machine != "x86_64":
        return Finding("miss", "system", f"{name} on {machine}: the build runs on x86_64")
    return Finding(
        "ok" if known else "note", "system", name + ("" if known else ": thole is tried on Debian 12 and 13")
    )


def _python() -> Finding:
    return Finding("ok", "python", f"{platform.python_version()} ({sys.executable})")


def _packages() -> Finding:
    from driver import debian

    absent = debian.missing(("build", "test"))
    if not absent:
        return Finding("ok", "packages", "all Debian packages of driver/debian-packages.txt are installed")
    return Finding("note", "packages", f"set-up will install: {' '.join(absent)}")


def _keys() -> Finding:
    from driver.apt_sources import KEYRING

    if KEYRING.exists():
        return Finding("ok", "keys", f"{KEYRING}")
    return Finding("note", "keys", "debian-archive-keyring is not installed; set-up installs it")


def _mirrors() -> Finding:
    from driver.apt_sources import machine_mirrors

    found = dict.fromkeys(f"{mirror.uri} ({mirror.kind})" for mirror in machine_mirrors(Path("/etc/apt")))
    if not found:
        return Finding("miss", "mirrors", "no Debian mirror in /etc/apt; add one to /etc/apt/sources.list")
    return Finding("ok", "mirrors", ", ".join(found))


def _network() -> Finding:
    from driver.apt import reachable

    problem = reachable("trixie")
    if problem:
        return Finding("miss", "network", f"{problem}; check the network and the proxy of apt")
    return Finding("ok", "network", "the mirror answers")


def _disk() -> Finding:
    from driver.cache import default_root
    from driver.paths import CHECKOUT
    from driver.setup import DISK_NEEDED

    parts = []
    state = "ok"
    for name, place in (("checkout", CHECKOUT), ("caches", default_root())):
        while not place.exists():
            place = place.parent
        free = shutil.disk_usage(place).free
        state = "miss" if free < DISK_NEEDED else state
        parts.append(f"{free / (1 << 30):.0f} GiB free for the {name}")
    return Finding(state, "disk", f"{', '.join(parts)} (a first build needs {DISK_NEEDED >> 30})")


def _memory() -> Finding:
    from driver.setup import MEMORY_NEEDED, total_memory

    total = total_memory()
    state = "ok" if total >= MEMORY_NEEDED - (512 << 20) else "miss"
    return Finding(state, "memory", f"{total / (1 << 30):.1f} GiB with swap (needed: {MEMORY_NEEDED >> 30})")


def _go() -> Finding:
    from driver.toolchain import go_version

    found = shutil.which("go")
    version = go_version(found) if found else (0,)
    if version < (1, 21):
        return Finding("note", "go", "not in PATH, or too old: the build unpacks Debian's into its cache")
    return Finding("ok", "go", f"{'.'.join(map(str, version))} ({found})")


def _fetched() -> bool:
    """Whether a first build has fetched the tools."""
    from driver import toolchain
    from driver.cache import Cache

    return Cache().has("venv", toolchain.venv_key())


def _tools() -> Finding:
    from driver import toolchain

    if not _fetched():
        return Finding(
            "note", "tools", "meson, ninja, zig and pytest are not there yet; the first build fetches them"
        )
    zig = subprocess.run(
        [toolchain.zig(), "version"], capture_output=True, text=True, check=False
    ).stdout.strip()
    ninja = subprocess.run(
        [toolchain.ninja(), "--version"], capture_output=True, text=True, check=False
    ).stdout.strip()
    return Finding("ok", "tools", f"zig {zig}, ninja {ninja} in {toolchain.venv()}")


def _kvm() -> Finding:
    from qemu import host

    if not _fetched():
        return Finding("note", "kvm", "not tried: the first build fetches QEMU")
    if not Path("/dev/kvm").exists():
        return Finding("note", "kvm", "there is no /dev/kvm: VMs run under TCG, several times slower")
    kernel = _built_kernel()
    works = host.accelerator(kernel) == "kvm" if kernel else host.firmware_runs("kvm", "host")
    if works:
        return Finding("ok", "kvm", "our kernel ran under KVM" if kernel else "a trial guest ran under KVM")
    return Finding(
        "note", "kvm", "a trial guest did not run under KVM: VMs run under TCG, several times slower"
    )


def _built_kernel() -> Path | None:
    from driver.artefacts import PLACES
    from driver.paths import TARGET

    kernel = TARGET / PLACES["vmlinux"]
    return kernel if kernel.is_file() else None
