"""Unified kernel images: kernel, command line and system's name in one file that UEFI starts (and can check).

UAPI group's specification: Unified Kernel Image. systemd's ukify makes them, with systemd's stub.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from driver.apt import Apt
from driver.cache import Cache, digest
from driver.errors import TholeError
from driver.host_tools import SUITE, tool, unpack

_PACKAGES = ("systemd-ukify", "python3-pefile", "systemd-boot-efi")
# UEFI's names for architectures.
NAMES = {"amd64": "x64", "arm64": "aa64"}


class Signing(NamedTuple):
    """A key for Secure Boot and its certificate, as PEM files."""

    key: Path
    certificate: Path


def tools(architecture: str) -> Path:
    """A folder with ukify, what it imports, and the EFI programs of systemd for that architecture."""
    apt = Apt(SUITE, architecture) if architecture != "amd64" else Apt(SUITE)
    names = [file.name for file in apt.download(list(_PACKAGES)).values()]

    def make(directory: Path) -> None:
        for file in apt.download(list(_PACKAGES)).values():
            unpack(file, directory)

    return Cache().entry("uki-tools", digest("1", architecture, *sorted(names)), make)


def boot_loader(architecture: str) -> Path:
    """systemd-boot."""
    return tools(architecture) / f"usr/lib/systemd/boot/efi/systemd-boot{NAMES[architecture]}.efi"


def make(target: Path, kernel: Path, command_line: str, release: str, architecture: str = "amd64",
         signing: Signing | None = None, initramfs: Path | None = None, microcode: Path | None = None) -> None:  # fmt: skip
    """Write one. `release` is an os-release file's text: its VERSION_ID decides which of two is newer."""
    root = tools(architecture)
    stub = root / f"usr/lib/systemd/boot/efi/linux{NAMES[architecture]}.efi.stub"
    # systemd's stub starts the kernel inside without another look at signatures: that of the whole covers it.
    output = target.with_name(f"{target.name}.unsigned") if signing else target
    command = [
        sys.executable, root / "usr/bin/ukify", "build", f"--linux={kernel}", f"--cmdline={command_line}",
        f"--os-release={release}", f"--efi-arch={NAMES[architecture]}", f"--stub={stub}", f"--output={output}",
        *([f"--initrd={initramfs}"] if initramfs else []),
        *([f"--microcode={microcode}"] if microcode else []),
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(root / "usr/lib/python3/dist-packages"), "SOURCE_DATE_EPOCH": "0"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise TholeError(f"ukify did not make {target.name}: {done.stderr.strip()[-800:]}", "see image/uki.py")
    if signing:
        sign(output, target, signing)
        output.unlink()


def sign(source: Path, target: Path, signing: Signing) -> None:
    """Sign an EFI program for Secure Boot."""
    command = [
        *tool("sbsign"), "--key", signing.key, "--cert", signing.certificate, "--output", target, source,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise TholeError(f"{source.name} was not signed: {done.stderr.strip()}", "is the key a PEM file that fits?")
