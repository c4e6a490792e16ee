"""The checks that a booted node must pass: `./thole run --check` and the VM tests run the same ones."""

from qemu.checks.registry import CheckFailed, Lab, Result, all_checks, run_check

__all__ = ["CheckFailed", "Lab", "Result", "all_checks", "run_check"]
