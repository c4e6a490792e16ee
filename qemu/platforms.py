"""Machines of each architecture that a node can run on, as QEMU has them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Platform:
    """QEMU's program and words for one architecture, and what Linux calls its parts."""

    emulator: str
    machine: str
    processor: str  # without an accelerator
    console: str  # the serial port
    firmware: str  # Debian's package
    code: str  # UEFI below it, and its variables
    variables: str


PLATFORMS = {
    "x86_64": Platform(
        emulator="qemu-system-x86_64",
        machine="q35,hpet=off,vmport=off,smbus=off,sata=off,graphics=off",
        processor="max",
        console="ttyS0",
        firmware="ovmf",
        code="usr/share/OVMF/OVMF_CODE_4M.fd",
        variables="usr/share/OVMF/OVMF_VARS_4M.fd",
    ),
    "aarch64": Platform(
        emulator="qemu-system-aarch64",
        machine="virt,gic-version=3",
        # Signed pointers by the algorithm that the architecture suggests cost half of the time, by QEMU's own nothing.
        processor="max,pauth-impdef=on",
        console="ttyAMA0",
        firmware="qemu-efi-aarch64",
        code="usr/share/AAVMF/AAVMF_CODE.no-secboot.fd",
        variables="usr/share/AAVMF/AAVMF_VARS.fd",
    ),
}
