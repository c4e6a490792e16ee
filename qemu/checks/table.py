"""Run every check and print a line each, for a person."""

from __future__ import annotations

import dataclasses
import sys

from qemu.checks.registry import Lab, Result, all_checks, run_check
from qemu.vm import VmConfig

DEADLINE = 1800


def check_and_print(config: VmConfig) -> int:
    """Boot a node, run all checks, print the table; 0 when all passed."""
    config = dataclasses.replace(config, deadline=config.deadline or DEADLINE)
    checks = all_checks()
    width = max(len(one.name) for one in checks)
    failed: list[Result] = []
    with Lab(config) as lab:
        lab.boot()
        for one in checks:
            result = run_check(lab, one)
            print(line_of(result, width), flush=True)
            if not result.passed:
                failed.append(result)
        if failed:
            print("\n" + lab.explain(), file=sys.stderr)
    print(f"\n{len(checks) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


def line_of(result: Result, width: int) -> str:
    """One line of the table, and the lines of a failure below it."""
    word = "ok    " if result.passed else "FAILED"
    line = f"{word}  {result.check.name:<{width}}  {result.seconds:6.1f} s  "
    if result.passed:
        return line + (f"{result.check.title} ({result.text})" if result.text else result.check.title)
    return line + result.check.title + "".join("\n        " + part for part in result.text.splitlines())
