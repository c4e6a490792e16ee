#!/usr/bin/env python3
"""Writes a disk that UEFI boots: an ESP with systemd-boot and unified kernel images, two roots under dm-verity, data.

uefi.py --root build/root.erofs --kernel build/bzImage --version 0.1 --out DIR
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from driver.errors import guard  # noqa: E402
from driver.progress import report  # noqa: E402
from image import bios, disk, erofs, esp, gpt, initramfs, secure_boot, uki, verity  # noqa: E402
from image.options import Source, source  # noqa: E402
from image.options import parser as common  # noqa: E402

MIB = 1 << 20
# Two of each: the running system's, the one that an update brings, and one that is being written.
_KERNELS = 3
# An empty one; a node makes its file system there, and grows it.
DATA_SIZE = 512 * MIB
# How often systemd-boot tries an entry that has not been called good (its "boot counting").
TRIES = 3
# Screen and serial port; a machine has the last that it finds as /dev/console.
CONSOLES = {"amd64": "console=tty0 console=ttyS0", "arm64": "console=tty0 console=ttyS0 console=ttyAMA0"}
COMMAND_LINE = "loglevel=5 panic=10"
# Where systemd-boot finds the keys that it may enrol (systemd-boot(7)).
ENROLMENT = "loader/keys/auto"


def entry(version: str, tries: int = TRIES) -> str:
    """The name of a version's unified kernel image on the ESP."""
    return f"EFI/Linux/thole-{version}+{tries}.efi"


def release(version: str) -> str:
    """What the boot menu shows and sorts by (os-release(5))."""
    return f'ID=thole\nNAME="thole"\nPRETTY_NAME="thole {version}"\nVERSION_ID={version}\n'


def command_line(sealed: verity.Sealed, source: Source) -> str:
    """The kernel's, by which a node also knows which version it is."""
    version = f"image.version={source.version}"
    line = (CONSOLES[source.arch], COMMAND_LINE, version, source.append, sealed.arguments())
    return " ".join(word for word in line if word)


def kernel_image(target: Path, sealed: verity.Sealed, source: Source, signing: uki.Signing | None) -> None:
    """The kernel that starts a root on a disk, with the firmware that it wants before it has that."""
    firmware, microcode = target.with_suffix(".firmware"), target.with_suffix(".microcode")
    uki.make(
        target, source.kernel, command_line(sealed, source), release(source.version), source.arch, signing,
        initramfs.archive(firmware, initramfs.firmware(source.firmware)),
        initramfs.archive(microcode, initramfs.microcode(source.firmware)),
    )  # fmt: skip


def loader(scratch: Path, architecture: str, signing: uki.Signing | None) -> Path:
    """systemd-boot, signed where there is a key."""
    found = uki.boot_loader(architecture)
    if not signing:
        return found
    signed = scratch / "loader.efi"
    uki.sign(found, signed, signing)
    return signed


def files(scratch: Path, sealed: verity.Sealed, options: argparse.Namespace) -> dict[str, Path | str]:
    """What the ESP holds: the loader, and the kernel image."""
    keys = secure_boot.Keys(options.keys) if options.keys else None
    signing = keys.signing if keys else None
    image = scratch / "thole.efi"
    version = source(options)
    kernel_image(image, sealed, version, signing)
    return {
        f"EFI/BOOT/BOOT{uki.NAMES[options.arch].upper()}.EFI": loader(scratch, options.arch, signing),
        "loader/loader.conf": esp.LOADER_CONF + (secure_boot.LOADER_CONF if keys else ""),
        entry(options.version): image,
        **(bios.files(version, command_line(sealed, version), scratch) if options.bios else {}),
        **({f"{ENROLMENT}/{name}": file for name, file in keys.enrolment(scratch).items()} if keys else {}),
    }


def slots(
    sealed: verity.Sealed, partition: Path, slot_size: int, architecture: str, attributes: int = 0
) -> list[disk.Slot]:
    """The partitions in their order. Both roots have room for one that is half as large again. `attributes`: the ESP's."""
    used = sealed.path.stat().st_size
    room = -(-max(slot_size, used + used // 2) // MIB) * MIB
    root = gpt.ROOT_TYPES[architecture]
    return [
        disk.Slot(1, "thole-esp", gpt.ESP_TYPE, partition.stat().st_size, partition, attributes=attributes),
        disk.Slot(2, "thole-root-a", root, room, sealed.path, sealed.guid),
        disk.Slot(3, "thole-root-b", root, room),
        disk.Slot(4, "thole-data", gpt.LINUX_TYPE, DATA_SIZE),
    ]


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = common("Write a disk that UEFI boots.", "NAME.img goes there")
    parser.add_argument("--name", default="uefi", help="default: %(default)s")
    parser.add_argument("--slot-size", type=disk.size, default=0, help="room for a root (default: half as much again)")
    parser.add_argument("--disk-size", type=disk.size, default=0, help="size of the disk (default: what it needs)")
    parser.add_argument("--bios", action="store_true", help="a BIOS boots it as well (amd64)")
    options = parser.parse_args()
    if options.bios and (options.arch != "amd64" or options.keys):
        parser.error("--bios is for amd64, and without --keys: a BIOS checks no signatures")
    return options


def main() -> int:
    """Seal the root, make the ESP, write the disk."""
    options = arguments()
    erofs.check(options.root)
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.out) as folder:
        scratch = Path(folder)
        report("uefi", 0, 3, "dm-verity")
        sealed = verity.seal(options.root, scratch / "root.verity")
        report("uefi", 1, 3, "kernel image")
        wanted = files(scratch, sealed, options)
        partition = scratch / "esp.img"
        size = esp.needed(wanted, (_KERNELS - 1) * options.kernel.stat().st_size)
        esp.make(partition, wanted, size, gpt.aligned(gpt.FIRST_USABLE))
        if options.bios:
            bios.install(partition, scratch)
        report("uefi", 2, 3, "disk")
        path = options.out / f"{options.name}.img"
        attributes = gpt.BIOS_BOOTABLE if options.bios else 0
        wanted_slots = slots(sealed, partition, options.slot_size, options.arch, attributes)
        disk.write(path, wanted_slots, options.disk_size, bios.boot_code() if options.bios else b"")
    report("uefi", 3, 3, f"{path.stat().st_size // MIB} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(guard(main))
