"""UEFI firmware for VMs: EDK II of Debian 13, with its variables in a file of each VM."""

from __future__ import annotations

import shutil
from pathlib import Path

from driver.apt import Apt
from driver.cache import Cache, digest
from driver.host_tools import SUITE, unpack
from qemu.platforms import PLATFORMS, Platform

# The one of x86_64 that checks signatures. Its variables are safe from the guest by system management mode.
_SECURE_CODE = "usr/share/OVMF/OVMF_CODE_4M.secboot.fd"
_SECURE = ("-global", "driver=cfi.pflash01,property=secure,value=on")


def folder(package: str) -> Path:
    """Where the firmware's package is unpacked."""
    apt = Apt(SUITE)

    def make(directory: Path) -> None:
        for file in apt.download([package]).values():
            unpack(file, directory)

    return Cache().entry("firmware", digest("1", package, apt.version(package)), make)


def devices(own: Path, platform: Platform = PLATFORMS["x86_64"], secure: bool = False) -> list[str]:
    """QEMU's arguments: the code, and the variables that this VM keeps in its folder from boot to boot.

    `secure`: for Secure Boot, in set-up mode until somebody enrols keys; the machine has to have smm=on.
    """
    variables = own / "uefi-variables.fd"
    if not variables.exists():
        shutil.copyfile(folder(platform.firmware) / platform.variables, variables)
    code = str(folder(platform.firmware) / (_SECURE_CODE if secure else platform.code)).replace(",", ",,")
    return [
        *(_SECURE if secure else ()),
        "-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={code}",
        "-drive", f"if=pflash,format=raw,unit=1,file={str(variables).replace(',', ',,')}",
    ]  # fmt: skip
