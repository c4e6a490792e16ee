#!/usr/bin/env python3
"""Holds a kernel's configuration against kernel-hardening-checker; what is not as it recommends needs a reason.

hardening.py --config build/x86_64/kernel-config/config
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from driver.apt import Apt  # noqa: E402
from driver.cache import Cache, digest  # noqa: E402
from driver.errors import TholeError, guard  # noqa: E402
from driver.host_tools import unpack  # noqa: E402

EXCEPTIONS = HERE / "hardening.ini"
_SUITE, _PACKAGE = "sid", "kernel-hardening-checker"
_START = "import kernel_hardening_checker as checker; checker.main()"


class Verdict(NamedTuple):
    """How a configuration stands."""

    passed: int
    checks: int
    failed: dict[str, str]  # symbol to what is wrong


def checker() -> Path:
    """The folder with the program's Python package."""
    apt = Apt(_SUITE)

    def make(directory: Path) -> None:
        for file in apt.download([_PACKAGE]).values():
            unpack(file, directory)

    return Cache().entry("hardening-checker", digest("1", apt.version(_PACKAGE)), make) / "usr/lib/python3/dist-packages"


def judge(config: Path) -> Verdict:
    """Run the checker on a .config."""
    command = [sys.executable, "-c", _START, "-c", str(config), "-m", "json"]
    done = subprocess.run(
        command, env={"PYTHONPATH": str(checker()), "PATH": ""}, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise TholeError(f"the checker did not take {config}: {(done.stderr or done.stdout).strip()[-500:]}")
    rows = json.loads(done.stdout)
    failed = {
        row["option_name"].removeprefix("CONFIG_"): row["check_result"].removeprefix("FAIL: ")
        for row in rows
        if not row["check_result_bool"]
    }
    return Verdict(sum(row["check_result_bool"] for row in rows), len(rows), failed)


def reasons(path: Path = EXCEPTIONS) -> dict[str, str]:
    """Symbol to the reason why it stays as it is. A section may have several symbols."""
    parser = ConfigParser(interpolation=None)
    parser.read_string(path.read_text(), str(path))
    found: dict[str, str] = {}
    for section in parser.sections():
        for symbol in parser[section]["symbols"].split():
            if symbol in found:
                raise TholeError(f"{path} has {symbol} twice")
            found[symbol] = " ".join(parser[section]["reason"].split())
    return found


def complaints(failed: dict[str, str], excused: dict[str, str]) -> list[str]:
    """What fails without a reason, and reasons that nothing needs any more."""
    new = [f"{symbol}: {what}; change it, or give a reason" for symbol, what in failed.items() if symbol not in excused]
    old = [f"{symbol}: passes now, or is not checked; take its exception away" for symbol in excused if symbol not in failed]
    return new + old


def main() -> int:
    """Print the score; TholeError with all complaints."""
    parser = argparse.ArgumentParser(description="Check a kernel's configuration for hardening.")
    parser.add_argument("--config", required=True, type=Path)
    verdict = judge(parser.parse_args().config)
    print(f"{verdict.passed} of {verdict.checks} checks pass; {len(verdict.failed)} exceptions")
    found = complaints(verdict.failed, reasons())
    if found:
        raise TholeError("\n".join(found), f"exceptions with reasons are in {EXCEPTIONS.name}")
    return 0


if __name__ == "__main__":
    sys.exit(guard(main))
