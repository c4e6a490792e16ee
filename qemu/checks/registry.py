"""What a check is, the order of all checks, and the node that they share."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from driver.errors import TholeError
from qemu.node import Node
from qemu.vm import Vm, VmConfig

# Their order is the order of the checks: a healthy machine first, its power-off and second boot last.
MODULES = ("machine", "cluster", "workload", "survival")


class CheckFailed(TholeError):
    """A check found what should not be."""


@dataclass(frozen=True)
class Check:
    """One named check. `needs` are names of checks without which it makes no sense."""

    name: str
    title: str
    function: Callable[[Lab], str | None]
    needs: tuple[str, ...]


@dataclass(frozen=True)
class Result:
    """How a check went."""

    check: Check
    passed: bool
    seconds: float
    text: str


@dataclass
class Lab:
    """The node under test, and what the checks remember for each other."""

    config: VmConfig
    on_start: Callable[[Vm], object] = lambda vm: None  # told of every VM
    vm: Vm | None = None
    results: dict[str, Result] = field(default_factory=dict)
    memory: dict[str, Any] = field(default_factory=dict)
    _node: Node | None = None

    @property
    def node(self) -> Node:
        """The node that runs now."""
        if not self._node:
            raise CheckFailed("no node runs: it was not started, or an earlier check ended it")
        return self._node

    def boot(self) -> Node:
        """Start a VM on this lab's data disk; the logs of an earlier one are kept beside it."""
        self.close()
        self.vm = Vm(self.config)
        for log in (self.vm.console.path, self.config.folder / "qemu.log"):
            if log.exists():
                log.replace(
                    log.with_name(f"{log.stem}-{len(list(log.parent.glob(log.stem + '-*')))}{log.suffix}")
                )
        self.on_start(self.vm)
        self.vm.start()
        self._node = Node(self.vm)
        return self._node

    def close(self) -> None:
        """End the VM, if one runs."""
        if self.vm:
            self.vm.kill()
        self._node = None

    def explain(self) -> str:
        """The end of the console, for a failure's message."""
        return self.vm.explain() if self.vm else "no VM was started"

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_CHECKS: list[Check] = []


def check(title: str, needs: tuple[str, ...] = ()):
    """Make a check of a function: its name with dashes is the check's, `title` what it shows."""

    def register(function: Callable[[Lab], str | None]) -> Callable[[Lab], str | None]:
        _CHECKS.append(Check(function.__name__.replace("_", "-"), title, function, needs))
        return function

    return register


def all_checks() -> list[Check]:
    """Every check, in order."""
    for module in MODULES:
        importlib.import_module(f"qemu.checks.{module}")
    return sorted(_CHECKS, key=lambda one: MODULES.index(one.function.__module__.rpartition(".")[2]))


def run_check(lab: Lab, one: Check) -> Result:
    """Run one check and remember its result; never raises for what a node can do wrong."""
    start = time.monotonic()
    missing = [name for name in one.needs if name not in lab.results or not lab.results[name].passed]
    try:
        if missing:
            raise CheckFailed(f"not tried, because it needs {', '.join(missing)}")
        detail = one.function(lab) or ""
        result = Result(one, True, time.monotonic() - start, detail)
    except TholeError as error:
        result = Result(one, False, time.monotonic() - start, str(error))
    lab.results[one.name] = result
    return result


def expect(condition: object, problem: str) -> None:
    """Fail the check with `problem` unless `condition` holds."""
    if not condition:
        raise CheckFailed(problem)


def expect_equal(what: str, found: object, wanted: object) -> None:
    """Fail the check unless both are equal."""
    expect(found == wanted, f"{what} is {found!r} and should be {wanted!r}")
