"""The package versions of an earlier build, taken again: what its release's manifest names, and nothing newer.

The file is found by a variable of the environment, so that the steps of a build, which are programs of their own, meet it too.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from driver.errors import TholeError

VARIABLE = "THOLE_LOCKED"
KEY = "packages"
Lock = dict[str, dict[str, str]]  # release of Debian to package to version


def read(path: Path) -> Lock:
    """The `packages` of a manifest that `./thole release` wrote."""
    try:
        found = json.loads(path.read_text())[KEY]
        return {suite: {str(name): str(version) for name, version in pins.items()} for suite, pins in found.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise TholeError(
            f"{path} does not say which packages a build had: {error}", "give the manifest.json of a release"
        ) from None


def use(path: Path) -> Lock:
    """Have this process and its children take these versions."""
    lock = read(path)
    os.environ[VARIABLE] = str(path.absolute())
    return lock


def pinned(suite: str, packages: list[str]) -> list[str]:
    """The packages with the lock's versions, where there is a lock that names them: NAME=VERSION, as apt has it."""
    path = os.environ.get(VARIABLE)
    pins = read(Path(path)).get(suite, {}) if path else {}
    return [f"{name}={pins[name]}" if name in pins else name for name in packages]


def gone(wanted: dict[str, str], madison: str) -> list[str]:
    """Which of these versions a mirror does not have any more; `madison` is apt-cache's list of those it has."""
    there = {tuple(part.strip() for part in line.split("|")[:2]) for line in madison.splitlines() if line.count("|") >= 2}
    return [f"{name} {version}" for name, version in sorted(wanted.items()) if (name, version) not in there]
