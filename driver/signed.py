"""Images that are signed with somebody's keys: made of what a build made, in a folder of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from driver.errors import TholeError
from driver.paths import CHECKOUT

# The step of each format, and what it makes.
STEPS = {
    "live": ("image/live.py", ("live.efi", "live.cpio", "live.img", "live.iso")),
    "uefi": ("image/uefi.py", ("uefi.img",)),
    "upgrade": ("image/upgrade.py", ("thole.upgrade",)),
}


def need(form: str, keys: Path) -> None:
    """Before anything is built: that the format can be signed, and that the keys are there."""
    from image.secure_boot import Keys

    if form not in STEPS:
        raise TholeError(f"the format {form} is not signed", f"--keys is for {', '.join(STEPS)}")
    Keys(keys).check()


def make(build: Path, form: str, keys: Path, out: Path | None = None) -> list[Path]:
    """Run the step again with the keys. The files' paths, in `out` or in a folder of the build."""
    script, names = STEPS[form]
    out = out or build / "image" / "signed"
    command = [
        sys.executable, CHECKOUT / script, "--root", build / "rootfs/root.erofs",
        "--kernel", build / "kernel-config/bzImage", "--version", version(), "--keys", keys.absolute(), "--out", out,
        *(("--init", build / "init/init") if form == "live" else ()),
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    if subprocess.run(command, env=environment, check=False).returncode != 0:
        raise TholeError(f"no signed {form} was made")
    return [out / name for name in names]


def version() -> str:
    """The project's, from its meson.build."""
    found = re.search(r"^  version: '([^']+)',$", (CHECKOUT / "meson.build").read_text(), re.MULTILINE)
    assert found
    return found[1]
