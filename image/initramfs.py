"""What the kernel wants before it has its root: firmware of devices that it finds first, and the processors' microcode.

Both are cpio archives. The kernel goes on to the root of its command line where an initramfs has no /init (kernel:
init/main.c); microcode lies where its loader looks (kernel: Documentation/arch/x86/microcode.rst).
"""

from __future__ import annotations

from pathlib import Path

from driver.hardware import files
from image import cpio

_PLACE = "lib/firmware"
# Folders of linux-firmware, and the kernel's one file for all processors of a maker.
_MICROCODE = {"intel-ucode": "GenuineIntel.bin", "amd-ucode": "AuthenticAMD.bin"}


def firmware(folder: Path) -> dict[str, Path | bytes]:
    """Where its files lie in an initramfs; microcode is no device's."""
    return {
        f"{_PLACE}/{path.relative_to(folder)}": path
        for path in files(folder)
        if path.relative_to(folder).parts[0] not in _MICROCODE
    }


def microcode(folder: Path) -> dict[str, Path | bytes]:
    """The same of the processors' microcode."""
    found: dict[str, Path | bytes] = {}
    for name, joined in _MICROCODE.items():
        parts = [path.read_bytes() for path in files(folder / name) if path.suffix not in (".txt", ".asc")]
        if parts:
            found[f"kernel/x86/microcode/{joined}"] = b"".join(parts)
    return found


def archive(target: Path, contents: dict[str, Path | bytes]) -> Path | None:
    """Write an archive; None where there is nothing to put in."""
    if not contents:
        return None
    cpio.write(target, contents)
    return target
