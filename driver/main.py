"""The command line of ./thole: finds the verb, imports that alone, and puts errors in words."""

from __future__ import annotations

import argparse
import importlib
import signal
import sys

from driver.errors import guard

# Kept here and not in the modules: `--help` and completion need no import of any of them.
COMMANDS = {
    "build": "build init, kernel, Kubernetes, root file system and disk image",
    "run": "boot a node in QEMU, and build it first where something changed",
    "cluster": "boot several nodes on one network in QEMU, and handle those that run",
    "test": "run the tests: unit, lint, and the real image in QEMU",
    "config": "make a cluster, its nodes' node.ini and its clients; check a node.ini",
    "keys": "make the keys that sign images: for Secure Boot and for upgrades",
    "node": "a command of `thole` on a node of a cluster; `./thole -n NODE ...` is the same",
    "kubectl": "kubectl on the node that `run` started",
    "release": "make a folder to hand out: all formats, compressed, with manifest and sums",
    "flash": "write an image to a disk, and read it back",
    "bench": "measure sizes, memory, boot and rebuild times",
    "docs": "write the reference pages of docs/ anew",
    "doctor": "say what this machine has and what it misses",
    "clean": "remove the build directory, or the caches too",
    "completion": "print the completion for bash",
}
# These hand all that follows to another program, options too.
_RAW = {"kubectl", "node"}


def main(argv: list[str]) -> int:
    """Run one command line; the exit status."""
    if argv and argv[0] in ("-n", "--node"):
        argv = ["node", *argv[1:]]
    command = argv[0] if argv else ""
    if command in ("", "-h", "--help", "help"):
        print(_usage())
        return 0 if command else 2
    if command not in COMMANDS:
        print(f"error: thole has no command '{command}'{_nearest(command)}\n\n{_usage()}", file=sys.stderr)
        return 2
    # A terminated driver ends its children as an interrupted one does.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    module = importlib.import_module(f"driver.commands.{command}")
    if command in _RAW:
        return guard(lambda: module.main(argv[1:]))
    parser = argparse.ArgumentParser(prog=f"./thole {command}", description=module.__doc__)
    module.add_arguments(parser)
    options = parser.parse_args(argv[1:])
    return guard(lambda: module.main(options))


def _usage() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {text}" for name, text in COMMANDS.items()]
    return "\n".join(
        [
            "usage: ./thole COMMAND [OPTIONS]",
            "",
            *lines,
            "",
            "./thole COMMAND --help says more about a command.",
        ]
    )


def _nearest(word: str) -> str:
    import difflib

    found = difflib.get_close_matches(word, COMMANDS, 1)
    return f"; did you mean '{found[0]}'?" if found else ""
