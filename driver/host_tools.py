"""Programs of Debian 13 that run on this machine, whatever its release: by their own loader and libraries.

A tool is its package and all that this depends on, unpacked side by side into the cache; nothing is installed. So every
machine builds and tests with the same versions. To add one: name it in TOOLS.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from driver.apt import Apt
from driver.cache import Cache, digest
from driver.errors import TholeError

SUITE = "trixie"
_LOADER = "usr/lib64/ld-linux-x86-64.so.2"
_LIBRARIES = "usr/lib/x86_64-linux-gnu"
# Program: its package.
TOOLS = {
    "cert-to-efi-sig-list": "efitools",
    "sign-efi-sig-list": "efitools",
    "mkfs.erofs": "erofs-utils",
    "fsck.erofs": "erofs-utils",
    "dump.erofs": "erofs-utils",
    "qemu-aarch64": "qemu-user",
    "qemu-system-aarch64": "qemu-system-arm",
    "qemu-system-x86_64": "qemu-system-x86",
    "mcopy": "mtools",
    "mkfs.vfat": "dosfstools",
    "mattrib": "mtools",
    "mdir": "mtools",
    "mmd": "mtools",
    "mmove": "mtools",
    "sbsign": "sbsigntool",
    "syslinux": "syslinux",
    "qemu-img": "qemu-utils",
    "veritysetup": "cryptsetup-bin",
    "xorriso": "xorriso",
    "zstd": "zstd",
}
# Those for administrators.
_SBIN = ("mkfs.vfat", "veritysetup")


def tool(name: str) -> list[str]:
    """argv prefix that runs the Debian 13 program `name` here; fetched and unpacked the first time."""
    root = unpacked(name)
    program = f"{root}/{_place(name)}"
    if not (root / _LOADER).exists():
        return [program]  # it is static, so its package depends on no C library
    return [f"{root}/{_LOADER}", "--library-path", f"{root}/{_LIBRARIES}", "--argv0", name, program]


def _place(name: str) -> str:
    """Where its package has it."""
    return f"usr/{'sbin' if name in _SBIN else 'bin'}/{name}"


def unpacked(name: str) -> Path:
    """The folder with the package of a tool and everything it depends on, as they would lie below /.

    Keyed by the package indexes: while these stay as they are, apt is not asked again.
    """
    if name not in TOOLS:
        raise TholeError(f"driver/host_tools.py has no tool {name}", f"it has {', '.join(sorted(TOOLS))}")
    apt = Apt(SUITE)
    package = TOOLS[name]

    def make(directory: Path) -> None:
        for file in apt.download(apt.closure(package)).values():
            unpack(file, directory)
        # qemu-user alone has programs for thirty architectures, 14 MB each.
        kept = {path.resolve() for wanted in TOOLS if (path := directory / _place(wanted)).exists()}
        for program in (directory / "usr/bin").glob("*"):
            if program.name not in TOOLS and program.resolve() not in kept:
                program.unlink()
        for wanted, owner in TOOLS.items():
            if owner == package:
                _check(directory, _place(wanted))

    return Cache().entry("host-tools", _key(name), make)


def is_there(name: str) -> bool:
    """Whether a tool is unpacked already."""
    return Cache().has("host-tools", _key(name))


def _key(name: str) -> str:
    return digest("3", TOOLS[name], Apt(SUITE).indexes())


def version(name: str) -> str:
    """The version of the package of a tool: part of the key of whatever is made with it."""
    return Apt(SUITE).version(TOOLS[name])


def unpack(package: Path, directory: Path) -> None:
    """Unpack the files of a .deb into a directory."""
    result = subprocess.run(
        ["dpkg-deb", "--extract", package, directory], capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        raise TholeError(
            f"{package.name} does not unpack: {result.stderr.strip()}", "./thole clean --cache, then repeat"
        )


def _check(directory: Path, program: str) -> None:
    """Refuse an entry whose program does not find its libraries, naming them."""
    loader = directory / _LOADER
    if not loader.exists():
        return
    command = [loader, "--library-path", directory / _LIBRARIES, "--list", directory / program]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    missing = [line.split()[0] for line in result.stdout.splitlines() if "not found" in line]
    if result.returncode != 0 or missing:
        raise TholeError(
            f"{program} of Debian {SUITE} does not run: {', '.join(missing) or result.stderr.strip()}",
            "its package in driver/host_tools.py does not depend on that library's: name another",
        )
