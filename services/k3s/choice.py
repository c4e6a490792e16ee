"""What a person chose of k3s on the command line, kept for the build steps."""

from __future__ import annotations

from pathlib import Path

from driver.cache import Cache
from driver.paths import BUILD
from services.k3s.obtain import LOCK, NAMES, Lock, Release, hand_over

# Where it is, nodes fetch k3s' images from the network.
WITHOUT_IMAGES = BUILD / "k3s-without-images"


def take(
    arch: str,
    program: Path | None,
    program_sum: str | None,
    images: str | None,
    images_sum: str | None,
    cache: Cache,
    lock_path: Path = LOCK,
    without: Path = WITHOUT_IMAGES,
) -> None:
    """Check and keep what was handed over; both files before either counts."""
    release, names = Release.read(), NAMES[arch]
    trial = Lock(lock_path)
    if images and images != "none" and images_sum:
        hand_over(Path(images), images_sum, names.images, release, trial, cache)
    if program and program_sum:
        hand_over(program, program_sum, names.program, release, trial, cache)
    if images == "none":
        without.parent.mkdir(parents=True, exist_ok=True)
        without.touch()
    elif images:
        without.unlink(missing_ok=True)
