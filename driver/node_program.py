"""The node's own binary, run on this machine: it is static, and what it says of a node.ini is what a node would say."""

from __future__ import annotations

import subprocess
from pathlib import Path

from driver.errors import TholeError

# Its name is what it goes by: under another it would be PID 1 or a script's systemctl.
_NAME = "thole"


def path() -> Path:
    """Build it where something changed; where it is."""
    from driver import build, display, setup

    shown = display.create()
    setup.ensure(shown, "build")
    tree = build.target()
    # A tree of any profile has the same init; configuring it for another profile would throw its image away.
    build.make(tree, shown, ("init/init",), as_it_is=(tree.directory / "build.ninja").exists())
    return tree.directory / "init" / "init"


def ask(*words: str, program: Path | None = None) -> str:
    """Its standard output for these words; what it complains of becomes an error."""
    done = subprocess.run([_NAME, *words], executable=program or path(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise TholeError(done.stderr.strip().removeprefix("thole: "))
    return done.stdout


def hand_over(*words: str, program: Path | None = None) -> int:
    """Run it with this terminal; its exit status."""
    return subprocess.run([_NAME, *words], executable=program or path(), check=False).returncode
