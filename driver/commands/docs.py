"""Write the pages of docs/ that the node's binary prints: the references of unit files and of node.ini.

Say this after a change of a table in init/; the test lint/reference fails while a page is not what the binary prints.
"""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`./thole docs` has no options."""


def main(options: argparse.Namespace) -> int:
    """Build the binary natively, and write what changed."""
    from driver import build, display, reference, setup

    shown = display.create()
    setup.ensure(shown, "build", "test")
    build.make(build.native(), shown, ("init/init",))
    changed = reference.stale()
    for page in changed:
        reference.place(page).write_text(reference.text(page))
        print(f"wrote docs/{page}")
    if not changed:
        print("every page is up to date")
    return 0
