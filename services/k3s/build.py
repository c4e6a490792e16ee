#!/usr/bin/env python3
"""Puts the files of the k3s release where the root file system takes them from: the program, and its images."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))

from driver.cache import Cache  # noqa: E402
from driver.errors import guard  # noqa: E402
from services.k3s.choice import WITHOUT_IMAGES  # noqa: E402
from services.k3s.obtain import NAMES, Lock, Release, obtain  # noqa: E402

IMAGES = "k3s-airgap-images.tar.zst"


def place(source: Path, target: Path, mode: int) -> None:
    """A copy under its name in the build folder."""
    part = target.with_name(target.name + ".part")
    shutil.copyfile(source, part)
    part.chmod(mode)
    part.replace(target)


def main() -> int:
    """Get them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arch", default="x86_64", choices=sorted(NAMES))
    parser.add_argument("--out", required=True, type=Path)
    options = parser.parse_args()
    names, release, lock, cache = NAMES[options.arch], Release.read(), Lock(), Cache()
    place(obtain(names.program, release, lock, cache, names.sums), options.out / "k3s", 0o755)
    images = options.out / "images"
    images.mkdir(exist_ok=True)
    if WITHOUT_IMAGES.exists():
        (images / IMAGES).unlink(missing_ok=True)
        (images / "none").write_text("This image was built without k3s' images.\n")
        return 0
    place(obtain(names.images, release, lock, cache, names.sums), images / IMAGES, 0o644)
    (images / "none").unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(guard(main))
