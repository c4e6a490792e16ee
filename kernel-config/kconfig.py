"""Kernel configuration as data: fragments, a final .config, and the exceptions between them.

Pure functions on text, so that unit tests need neither a kernel nor a compiler. A value is what stands behind `=`
(`y`, `64`, `"text"`); `n` is both `# CONFIG_X is not set` and a symbol that is not there at all.
"""

from __future__ import annotations

import configparser
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable, Mapping

ARCHITECTURES = ("x86_64", "aarch64")
OFF = "n"

_SET = re.compile(r"^CONFIG_([A-Za-z0-9_]+)=(.*)$")
_NOT_SET = re.compile(r"^# CONFIG_([A-Za-z0-9_]+) is not set$")
_LOOKS_LIKE_SYMBOL = re.compile(r"^#?\s*CONFIG_")
_DEFINITION = re.compile(r"^\s*(?:menu)?config\s+([A-Za-z0-9_]+)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Wish:
    """One line of a fragment: what `symbol` has to be, and where that is said."""

    symbol: str
    value: str
    fragment: str
    line: int

    @property
    def place(self) -> str:
        """FILE:LINE, for messages."""
        return f"{self.fragment}:{self.line}"


@dataclass(frozen=True)
class Accepted:
    """A symbol that may differ from its fragment: `final` is what it may be instead, `reason` says why."""

    symbol: str
    final: str
    reason: str
    architectures: tuple[str, ...] = ARCHITECTURES


class ConfigError(ValueError):
    """Fragments or exceptions that are wrong in themselves; the message names file and line."""


def parse_config(text: str) -> dict[str, str]:
    """Symbols and values of a .config; what is not set is left out, since absent means the same."""
    matches = (_SET.match(line) for line in text.splitlines())
    return {match[1]: match[2] for match in matches if match and match[2] != OFF}


def parse_fragment(text: str, name: str) -> list[Wish]:
    """The wishes of one fragment. A line that is neither a symbol, a comment nor empty is an error."""
    wishes: dict[str, Wish] = {}
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if match := _SET.match(line):
            wish = Wish(match[1], match[2], name, number)
        elif match := _NOT_SET.match(line):
            wish = Wish(match[1], OFF, name, number)
        elif not line or (line.startswith("#") and not _LOOKS_LIKE_SYMBOL.match(line)):
            continue
        else:
            raise ConfigError(
                f"{name}:{number}: '{line}' is neither CONFIG_NAME=VALUE nor '# CONFIG_NAME is not set' nor a comment"
            )
        if not wish.value or wish.value == "m":
            raise ConfigError(f"{wish.place}: CONFIG_{wish.symbol} has no value that a kernel without modules can have")
        if wish.symbol in wishes:
            raise ConfigError(f"{wish.place}: CONFIG_{wish.symbol} was already said in line {wishes[wish.symbol].line}")
        wishes[wish.symbol] = wish
    return list(wishes.values())


def fragment_architecture(name: str) -> str | None:
    """The architecture that a fragment's file name ends with (`crypto-x86_64.config`), or None for all."""
    stem = name.removesuffix(".config")
    return next((arch for arch in ARCHITECTURES if stem == arch or stem.endswith(f"-{arch}")), None)


def load_fragments(folder: Path, architecture: str) -> list[Wish]:
    """All wishes of the folder's fragments for one architecture. Two fragments may ask for the same, not for two things."""
    said: dict[str, Wish] = {}
    wishes = []
    for path in sorted(folder.glob("*.config")):
        if fragment_architecture(path.name) not in (None, architecture):
            continue
        for wish in parse_fragment(path.read_text(), path.name):
            other = said.setdefault(wish.symbol, wish)
            if other.value != wish.value:
                raise ConfigError(
                    f"{wish.place} wants CONFIG_{wish.symbol}={wish.value}, {other.place} wants it to be {other.value}"
                )
            wishes.append(wish)
    if not wishes:
        raise ConfigError(f"{folder} has no fragment for {architecture}")
    return wishes


def merged_text(wishes: Iterable[Wish]) -> str:
    """The wishes as lines for a .config."""
    lines = {
        wish.symbol: f"# CONFIG_{wish.symbol} is not set" if wish.value == OFF else f"CONFIG_{wish.symbol}={wish.value}"
        for wish in wishes
    }
    return "\n".join(lines.values()) + "\n"


def parse_exceptions(text: str, name: str = "exceptions.ini") -> list[Accepted]:
    """The accepted differences: a section a symbol, with `final` and `reason`, and `architecture` where only some differ."""
    parser = configparser.ConfigParser(interpolation=None, default_section="")
    try:
        parser.read_string(text, name)
    except configparser.Error as error:
        raise ConfigError(f"{name}: {error}") from error
    exceptions = []
    for symbol in parser.sections():
        section = parser[symbol]
        unknown = set(section) - {"final", "reason", "architecture"}
        if unknown:
            raise ConfigError(f"{name}: [{symbol}] has the unknown key '{sorted(unknown)[0]}'")
        if not section.get("reason", "").strip():
            raise ConfigError(f"{name}: [{symbol}] gives no reason")
        architectures = tuple(section.get("architecture", " ".join(ARCHITECTURES)).split())
        if set(architectures) - set(ARCHITECTURES):
            raise ConfigError(f"{name}: [{symbol}] names an architecture that is none of {', '.join(ARCHITECTURES)}")
        reason = " ".join(section["reason"].split())
        exceptions.append(Accepted(symbol.removeprefix("CONFIG_"), section.get("final", OFF), reason, architectures))
    return exceptions


@dataclass(frozen=True)
class Verdict:
    """What a comparison found: lines for people. Anything in `failures` ends the build."""

    failures: list[str]
    unneeded: list[str]


def compare(
    wishes: Iterable[Wish],
    final: Mapping[str, str],
    exceptions: Iterable[Accepted],
    architecture: str = "x86_64",
    known: frozenset[str] | None = None,
) -> Verdict:
    """Hold fragments against the final configuration.

    `known` are the symbols that the kernel defines: one that it does not know is a failure even when it is wished off,
    for such a line protects from nothing. An exception covers either case.
    """
    accepted = {item.symbol: item for item in exceptions if architecture in item.architectures}
    used: set[str] = set()
    failures = []
    failed: set[str] = set()
    for wish in wishes:
        value = final.get(wish.symbol, OFF)
        unknown = known is not None and wish.symbol not in known
        if value == wish.value and not unknown:
            continue
        exception = accepted.get(wish.symbol)
        if exception and exception.final == value:
            used.add(wish.symbol)
            continue
        failed.add(wish.symbol)
        failures.append(_failure(wish, value, unknown, exception))
    unneeded = [
        f"CONFIG_{symbol} is what its fragment asks for, or in no fragment: remove its exception"
        for symbol in sorted(accepted.keys() - used - failed)
    ]
    return Verdict(failures, unneeded)


def _failure(wish: Wish, value: str, unknown: bool, exception: Accepted | None) -> str:
    """One difference in words."""
    wanted = "off" if wish.value == OFF else wish.value
    got = "this kernel has no such symbol" if unknown else ("it is off" if value == OFF else f"it is {value}")
    accepted = f"; its exception accepts only {exception.final}" if exception else ""
    return f"{wish.place}: CONFIG_{wish.symbol} should be {wanted}, but {got}{accepted}"


def defined_symbols(source: Path) -> frozenset[str]:
    """Every symbol that some Kconfig file below `source` defines."""
    found: set[str] = set()
    for path in source.rglob("Kconfig*"):
        if path.is_file():
            found.update(_DEFINITION.findall(path.read_text(errors="replace")))
    return frozenset(found)
