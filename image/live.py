#!/usr/bin/env python3
"""Writes a node that needs no disk: kernel and root file system in memory, for the network, CDs and sticks; it installs itself.

live.py --init build/init --root build/root.erofs --kernel build/bzImage --version 0.1 --out DIR
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from driver.errors import TholeError, guard  # noqa: E402
from driver.host_tools import tool  # noqa: E402
from driver.progress import report  # noqa: E402
from image import cpio, disk, erofs, esp, gpt, initramfs, secure_boot, uefi, uki, upgrade, verity  # noqa: E402
from image.options import parser as common  # noqa: E402
from image.options import source  # noqa: E402

# rootfstype: erofs reads a file from a ramfs, not from a tmpfs (init/boot/live_root.cpp).
ROOT = "rootfstype=ramfs"
# On a stick or CD it leaves the machine's disks alone until it is told to install. By the network the server says.
ON_MEDIUM = "thole.node.data=memory"
_DATE = "1577836800"  # any; ISO 9660 has none before 1970 in every time zone


def parts(scratch: Path, options: argparse.Namespace, keys: secure_boot.Keys | None) -> dict[str, Path | bytes]:
    """What the initramfs holds: the init, the root, and what `thole install` writes besides."""
    signing = keys.signing if keys else None
    sealed = verity.seal(options.root, scratch / "root.verity")
    kernel = scratch / "thole.efi"
    uefi.kernel_image(kernel, sealed, source(options), signing)
    header = b"thole upgrade 1\nsignature -\n" + upgrade.header(options.version, options.arch, sealed, kernel)
    return {
        "init": options.init,
        **initramfs.firmware(options.firmware),
        "live/root": sealed.path,
        "live/kernel": kernel,
        "live/loader": uefi.loader(scratch, options.arch, signing),
        "live/loader.conf": (esp.LOADER_CONF + (secure_boot.LOADER_CONF if keys else "")).encode(),
        "live/header": header,
        **({f"live/keys/{name}": file for name, file in keys.enrolment(scratch).items()} if keys else {}),
    }


def kernel_image(target: Path, archive: Path, line: str, options: argparse.Namespace, signing: uki.Signing | None) -> None:
    """Kernel and initramfs in one file that UEFI starts."""
    microcode = initramfs.archive(target.with_suffix(".microcode"), initramfs.microcode(options.firmware))
    version = f"image.version={options.version}"
    words = (ROOT, uefi.CONSOLES[options.arch], uefi.COMMAND_LINE, version, line, options.append)
    whole = " ".join(word for word in words if word)
    uki.make(target, options.kernel, whole, uefi.release(options.version), options.arch, signing, archive, microcode)


def stick(target: Path, program: Path, architecture: str) -> Path:
    """A disk with nothing but an ESP; returns the ESP's image."""
    partition = target.with_name(f".{target.name}.esp")
    files: dict[str, Path | str] = {f"EFI/BOOT/BOOT{uki.NAMES[architecture].upper()}.EFI": program}
    esp.make(partition, files, esp.needed(files, 0))
    slot = disk.Slot(1, "thole-live", gpt.ESP_TYPE, partition.stat().st_size, partition)
    disk.write(target, [slot], 0)
    return partition


def compact_disc(target: Path, partition: Path, scratch: Path) -> None:
    """A CD that UEFI boots from the same ESP (El Torito)."""
    folder = scratch / "cd"
    folder.mkdir()
    os.link(partition, folder / "esp.img")
    command = [
        *tool("xorriso"), "-as", "mkisofs", "-quiet", "-V", "THOLE_LIVE", "-uid", "0", "-gid", "0", "-e", "esp.img",
        "-no-emul-boot", "-o", target, folder,
    ]  # fmt: skip
    # xorriso takes from it all dates and identifiers that it would draw.
    environment = {**os.environ, "SOURCE_DATE_EPOCH": _DATE, "TZ": "UTC"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode != 0:
        raise TholeError(f"xorriso did not make {target.name}: {done.stderr.strip()[-800:]}", "see image/live.py")


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = common("Write live images.", "NAME.cpio, .efi, .img and .iso go there")
    parser.add_argument("--init", required=True, type=Path, help="the static init")
    parser.add_argument("--name", default="live", help="default: %(default)s")
    return parser.parse_args()


def main() -> int:
    """Initramfs, kernel image, stick, CD."""
    options = arguments()
    erofs.check(options.root)
    options.out.mkdir(parents=True, exist_ok=True)
    keys = secure_boot.Keys(options.keys) if options.keys else None
    signing = keys.signing if keys else None
    with tempfile.TemporaryDirectory(dir=options.out) as folder:
        scratch = Path(folder)
        made = {ending: scratch / f"{options.name}.{ending}" for ending in ("cpio", "efi", "img", "iso")}
        report("live", 0, 4, "initramfs")
        cpio.write(made["cpio"], parts(scratch, options, keys))
        report("live", 1, 4, "kernel image")
        kernel_image(made["efi"], made["cpio"], "", options, signing)
        report("live", 2, 4, "stick")
        on_medium = scratch / "medium.efi"
        kernel_image(on_medium, made["cpio"], ON_MEDIUM, options, signing)
        partition = stick(made["img"], on_medium, options.arch)
        report("live", 3, 4, "CD")
        compact_disc(made["iso"], partition, scratch)
        partition.unlink()
        for path in made.values():
            os.replace(path, options.out / path.name)
    report("live", 4, 4, f"{(options.out / f'{options.name}.efi').stat().st_size >> 20} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(guard(main))
