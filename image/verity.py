"""dm-verity: the hash tree behind a root file system, and the kernel arguments that mount it without an initramfs."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path

from driver.errors import TholeError
from driver.host_tools import tool

BLOCK = 4096
_HASH = re.compile(r"^Root hash:\s+([0-9a-f]{64})$", re.MULTILINE)


@dataclass(frozen=True)
class Sealed:
    """A root file system with its hash tree in one file."""

    path: Path
    blocks: int  # of data; the hash tree begins behind them
    salt: str
    root_hash: str

    @property
    def guid(self) -> uuid.UUID:
        """Of the partition that holds it: from the hash, as the Discoverable Partitions Specification has it, so that one
        command line fits whichever slot it is written to."""
        return uuid.UUID(self.root_hash[:32])

    def arguments(self) -> str:
        """The kernel's arguments that mount it.

        kernel: Documentation/admin-guide/device-mapper/{dm-init,verity}.rst. A block that is not what was sealed stops
        the kernel, so that its `panic` leads to the next boot entry; its data is never used.
        """
        device = f"PARTUUID={self.guid}"
        target = (
            f"0 {self.blocks * BLOCK // 512} verity 1 {device} {device} {BLOCK} {BLOCK} {self.blocks} {self.blocks} "
            f"sha256 {self.root_hash} {self.salt} 1 panic_on_corruption"
        )
        return f'root=/dev/dm-0 ro dm-mod.waitfor={device} dm-mod.create="thole-root,,0,ro,{target}"'


def seal(root: Path, target: Path) -> Sealed:
    """Copy an image and put its hash tree behind it. The salt is the image's own sum, so that the same image gives the
    same bytes."""
    shutil.copyfile(root, target)
    size = target.stat().st_size
    if size % BLOCK:
        with target.open("ab") as stream:
            stream.truncate(size + -size % BLOCK)
    blocks = target.stat().st_size // BLOCK
    with root.open("rb") as stream:
        salt = hashlib.file_digest(stream, "sha256").hexdigest()
    command = [
        *tool("veritysetup"), "format", "--no-superblock", f"--salt={salt}", f"--data-blocks={blocks}",
        f"--hash-offset={blocks * BLOCK}", f"--data-block-size={BLOCK}", f"--hash-block-size={BLOCK}", target, target,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    match = _HASH.search(done.stdout)
    if done.returncode != 0 or not match:
        raise TholeError(f"veritysetup did not seal {root}: {(done.stderr or done.stdout).strip()}", "see image/verity.py")
    return Sealed(target, blocks, salt, match[1])
