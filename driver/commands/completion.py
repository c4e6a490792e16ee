"""Print the completion for bash: `source <(./thole completion bash)`."""

from __future__ import annotations

import argparse

from driver.paths import CHECKOUT


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The argument of `./thole completion`."""
    parser.add_argument("shell", choices=["bash"])


def main(options: argparse.Namespace) -> int:
    """Print the file."""
    print((CHECKOUT / "completion" / f"thole.{options.shell}").read_text(), end="")
    return 0
