"""How a case is declared, and what is known of all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pytest
from pid1.machine import Boot

COUNT = 31
KINDS = ("namespace", "vm")


@dataclass(frozen=True)
class Case:
    """One test: the number of what a PID 1 must survive (0: none of these), what holds, and the machine it wants."""

    number: int
    title: str
    units: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()  # features that not every kind of machine has
    own: bool = False  # a machine of its own: the case breaks or ends it
    boot: Boot = Boot()
    only: str = ""  # the kind of machine, where the other has another test of the same number

    def name(self, kind: str) -> str:
        """The test's name."""
        return f"pid1/{kind}/pid1-case-{self.number:02d}-{self.title}" if self.number else f"pid1/{kind}/{self.title}"


def case(number: int, title: str, **more: object) -> Callable[[Callable], Callable]:
    """Declare a test function to be a case."""
    return pytest.mark.case(Case(number, title, **more))


def unit(command: str, *lines: str, section: str = "", **sections: str) -> str:
    """The text of a unit: the actor's part, more lines of [service], other sections by name."""
    first = "\n".join(f"[{name}]\n{text}" for name, text in sections.items())
    return "\n".join([first, "[service]", f"command = /usr/bin/actor {command}", *lines, ""])
