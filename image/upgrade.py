#!/usr/bin/env python3
"""Writes the bundle that `thole upgrade` takes: a kernel image and a sealed root with their sums, signed.

upgrade.py --root build/root.erofs --kernel build/bzImage --version 0.2 --out DIR [--sign KEY]
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from driver.errors import TholeError, guard  # noqa: E402
from driver.progress import report  # noqa: E402
from image import erofs, secure_boot, uefi, uki, verity  # noqa: E402
from image.options import Source  # noqa: E402
from image.options import parser as common  # noqa: E402
from image.options import source as source_of  # noqa: E402

# The form of what a node keeps on its data disk: init/boot/data_version.hpp.
DATA_FORMAT = 1
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


def part(name: str, path: Path) -> str:
    """A line of the header: bytes and BLAKE2b-256."""
    with path.open("rb") as stream:
        total = hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=32)).hexdigest()
    return f"{name} {path.stat().st_size} {total}\n"


def header(version: str, architecture: str, sealed: verity.Sealed, kernel: Path) -> bytes:
    """What is signed, to the blank line that ends it."""
    lines = [
        f"version {version}\n",
        f"architecture {_MACHINES[architecture]}\n",
        f"data-format {DATA_FORMAT}\n",
        f"partition {sealed.guid}\n",
        part("kernel", kernel),
        part("root", sealed.path),
        "\n",
    ]
    return "".join(lines).encode()


def signature(text: bytes, key: Path | None) -> str:
    """Ed25519 by a PEM file's private key (openssl genpkey -algorithm ed25519), as base64; "-" without one."""
    if not key:
        return "-"
    with tempfile.NamedTemporaryFile() as file:
        file.write(text)
        file.flush()
        command = ["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", file.name]
        done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode != 0 or len(done.stdout) != 64:
        raise TholeError(
            f"{key} did not sign: {done.stderr.decode(errors='replace').strip()}",
            "it has to be a private Ed25519 key: openssl genpkey -algorithm ed25519 -out KEY",
        )
    return base64.b64encode(done.stdout).decode()


def public_key(key: Path) -> str:
    """What node.ini's upgrade.keys takes for a private key's file."""
    command = ["openssl", "pkey", "-in", key, "-pubout", "-outform", "DER"]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode != 0:
        raise TholeError(f"{key} is no private key: {done.stderr.decode(errors='replace').strip()}")
    return base64.b64encode(done.stdout[-32:]).decode()  # RFC 8410: the last 32 bytes


def write(target: Path, source: Source, key: Path | None, signing: uki.Signing | None = None) -> None:
    """Write a bundle; it appears under its name only when it is whole."""
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        sealed = verity.seal(source.root, Path(folder) / "root.verity")
        image = Path(folder) / "thole.efi"
        uefi.kernel_image(image, sealed, source, signing)
        text = header(source.version, source.arch, sealed, image)
        whole = Path(folder) / "bundle"
        with whole.open("wb") as stream:
            stream.write(f"thole upgrade 1\nsignature {signature(text, key)}\n".encode() + text)
            for path in (image, sealed.path):
                with path.open("rb") as contents:
                    shutil.copyfileobj(contents, stream, 1 << 20)
        os.replace(whole, target)


def main() -> int:
    """Write the bundle, and say which key a node needs for it."""
    parser = common("Write a bundle for `thole upgrade`.", "thole.upgrade goes there")
    parser.add_argument("--sign", type=Path, metavar="KEY", help="PEM with a private Ed25519 key, where there are no --keys")
    options = parser.parse_args()
    keys = secure_boot.Keys(options.keys) if options.keys else None
    signer = keys.upgrade if keys else options.sign
    erofs.check(options.root)
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "thole.upgrade"
    signing = keys.signing if keys else None
    write(path, source_of(options), signer, signing)
    report("upgrade", 1, 1, f"{path.stat().st_size >> 20} MiB")
    if signer:
        print(f"nodes take it with: [upgrade] keys = {public_key(signer)}")
    return 0


if __name__ == "__main__":
    sys.exit(guard(main))
