"""The pages of docs/ that the node's binary prints from its own tables, so that they cannot be wrong."""

from __future__ import annotations

import subprocess
from pathlib import Path

from driver.errors import TholeError
from driver.paths import CHECKOUT, NATIVE

# Page of docs/: the words after `thole` that print it.
PAGES = {
    "reference-node.md": ("config", "reference"),
    "reference-units.md": ("reference", "units"),
    "reference-commands.md": ("reference", "commands"),
}


def text(page: str) -> str:
    """What the native build's binary prints for a page."""
    program = NATIVE / "init" / "init"
    words = PAGES[page]
    done = subprocess.run([program, *words], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise TholeError(f"`thole {' '.join(words)}` failed: {done.stderr.strip()}", "./thole test unit")
    return done.stdout


def place(page: str) -> Path:
    """Where a page is."""
    return CHECKOUT / "docs" / page


def stale() -> list[str]:
    """The pages that are not what the binary prints."""
    return [page for page in PAGES if not place(page).is_file() or place(page).read_text() != text(page)]
